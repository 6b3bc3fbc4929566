import { Type } from 'typebox'
import type { Clock } from '../base/clock.ts'
import { LATE, within } from '../base/deadline.ts'
import { createSharedWork } from '../base/shared-work.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import { type StageHealth, StageHealthSchema } from '../schemas/http/stage.ts'
import { OPERATORS } from './http/keys/authentication.ts'
import { memoryState, readMemoryUse } from './process/memory.ts'
import type { Role } from './settings/setting.ts'
import type { RoleStores } from './stores.ts'

export type SeamState = { readonly ok: boolean; readonly detail?: string }
export type Readiness = {
  readonly status: 'ready' | 'not_ready'
  readonly seams: Readonly<Record<string, SeamState>>
  /** By the name of the stage. */
  readonly stages: Readonly<Record<string, StageHealth>>
}

const PING_WAIT_MS_MAX = 3_000

/** The seams that a role cannot work without. While the usage store is away, api and billing answer everything but usage and invoices. */
const ESSENTIAL: Readonly<Record<Role, readonly Seam[]>> = {
  ingest: ['catalog', 'eventLog'],
  aggregator: ['catalog', 'eventLog', 'usageStore', 'counters'],
  api: ['catalog', 'eventLog', 'counters'],
  billing: ['catalog'],
  alerts: ['catalog'],
  commerce: ['catalog'],
}
type Seam = 'catalog' | 'eventLog' | 'usageStore' | 'counters'

/** Ready: the seams that the roles need answer, every stage is well, and the process is not about to stop. */
export async function readReadiness(of: {
  readonly roles: readonly Role[]
  readonly stores: Pick<RoleStores, 'database' | 'eventLog' | 'usageStore' | 'counters'>
  readonly stages: Readonly<Record<string, StageHealth>>
  readonly isDraining: boolean
  readonly clock: Clock
}): Promise<Readiness> {
  const { roles, stages, isDraining, clock } = of
  const seams: Record<string, SeamState> = {
    process: isDraining ? { ok: false, detail: 'stopping' } : { ok: true },
    memory: memoryState(readMemoryUse()),
  }
  const { database, eventLog, usageStore, counters } = of.stores
  const pinged: Readonly<Record<Seam, { ping(): Promise<void> } | null>> = { catalog: database, eventLog, usageStore, counters }
  await Promise.all(
    Object.entries(pinged).map(async ([name, store]) => {
      if (store !== null) seams[name] = await ping(store, clock)
    }),
  )
  const essential = ['process', ...roles.flatMap((role) => ESSENTIAL[role])]
  const isReady = essential.every((name) => seams[name]?.ok !== false) && Object.values(stages).every(({ ok }) => ok)
  return { status: isReady ? 'ready' : 'not_ready', seams, stages }
}

async function ping(store: { ping(): Promise<void> }, clock: Clock): Promise<SeamState> {
  try {
    const answer = await within(clock, PING_WAIT_MS_MAX, store.ping())
    return answer === LATE ? { ok: false, detail: `no answer within ${PING_WAIT_MS_MAX} ms` } : { ok: true }
  } catch (error) {
    // For operators: what failed, where, and what to do. Messages of faults name addresses, and never passwords.
    return { ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}

const SeamStateSchema = Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) })
const ReadinessSchema = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not_ready')]),
  seams: Type.Optional(Type.Record(Type.String(), SeamStateSchema)),
  stages: Type.Optional(
    Type.Record(Type.String(), StageHealthSchema, {
      description:
        'By name. Details of `aggregator`: `lagRecords`, the records of the event log that the usage store has yet to hold, and the same for each of its `partitions` with `stalledForMs`',
    }),
  ),
})

/** Without a key the status may be this old, so that callers without one cannot make the stores work by asking. */
const OPEN_STATUS_AGE_MS_MAX = 500

export function readinessRoutes(read: () => Promise<Readiness>, clock: Clock): (app: HttpApp) => Promise<void> {
  const shared = createSharedWork<'readiness', Readiness>()
  let last: { readonly atMs: number; readonly status: Readiness['status'] } | null = null

  async function readNow(): Promise<Readiness> {
    const readiness = await shared('readiness', read)
    last = { atMs: clock.now(), status: readiness.status }
    return readiness
  }

  async function openStatus(): Promise<Pick<Readiness, 'status'>> {
    if (last !== null && clock.now() - last.atMs < OPEN_STATUS_AGE_MS_MAX) return { status: last.status }
    const { status } = await readNow()
    return { status }
  }

  return async (app) => {
    app.get(
      '/readyz',
      {
        config: { ...OPERATORS, isKeyOptional: true },
        schema: {
          tags: ['operations'],
          summary: 'May this process be sent requests',
          operationId: 'getReadiness',
          description:
            'With an admin key, or on the port of the operators: every seam and every stage, with how far the aggregator is behind. Without: the status alone. 503 when one that the roles of this process need does not work.',
          response: { 200: ReadinessSchema, 503: ReadinessSchema },
        },
      },
      async (request, reply) => {
        const answer = request.isOperator ? await readNow() : await openStatus()
        return reply.code(answer.status === 'ready' ? 200 : 503).send(answer)
      },
    )
  }
}

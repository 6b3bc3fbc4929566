import { Type } from 'typebox'
import type { Aggregator } from '../aggregator/aggregator.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import type { Role } from './settings/setting.ts'
import type { RoleStores } from './stores.ts'

export type SeamState = { readonly ok: boolean; readonly detail?: string }
export type Readiness = {
  readonly status: 'ready' | 'not_ready'
  readonly seams: Readonly<Record<string, SeamState>>
  readonly aggregator: AggregatorState | null
}

type AggregatorState = {
  readonly ok: boolean
  readonly lagRecords: number
  readonly partitions: { readonly partition: number; readonly lagRecords: number; readonly stalledForMs: number }[]
  readonly reasons: string[]
}

const PING_WAIT_MS_MAX = 3_000

/** What a role cannot do its work without. The api answers all but usage and invoices while the usage store is away. */
const ESSENTIAL: Readonly<Record<Role, readonly Seam[]>> = {
  ingest: ['catalog', 'eventLog'],
  aggregator: ['catalog', 'eventLog', 'usageStore', 'counters'],
  api: ['catalog', 'eventLog', 'counters'],
}
type Seam = keyof Omit<RoleStores, 'stop'>

/** Ready: what the roles need answers, the aggregator moves, and the process is not about to stop. */
export async function readReadiness(
  roles: readonly Role[],
  stores: Omit<RoleStores, 'stop'>,
  aggregator: Pick<Aggregator, 'health'> | null,
  isDraining: boolean,
): Promise<Readiness> {
  const seams: Record<string, SeamState> = { process: isDraining ? { ok: false, detail: 'stopping' } : { ok: true } }
  const { catalog, eventLog, usageStore, counters } = stores
  await Promise.all(
    Object.entries({ catalog, eventLog, usageStore, counters }).map(async ([name, store]) => {
      if (store !== null) seams[name] = await ping(store)
    }),
  )
  const state = aggregator === null ? null : aggregatorState(aggregator)
  const essential = ['process', ...roles.flatMap((role) => ESSENTIAL[role])]
  const isReady = essential.every((name) => seams[name]?.ok !== false) && (state === null || state.ok)
  return { status: isReady ? 'ready' : 'not_ready', seams, aggregator: state }
}

function aggregatorState(aggregator: Pick<Aggregator, 'health'>): AggregatorState {
  const { partitions, isStalled, reasons } = aggregator.health()
  return {
    ok: !isStalled,
    lagRecords: partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
    partitions: partitions.map(({ partition, lagRecords, stalledForMs }) => ({ partition, lagRecords, stalledForMs })),
    reasons: [...reasons],
  }
}

async function ping(store: { ping(): Promise<void> }): Promise<SeamState> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PING_WAIT_MS_MAX} ms`)), PING_WAIT_MS_MAX)
  })
  try {
    await Promise.race([store.ping(), late])
    return { ok: true }
  } catch (error) {
    // For operators: what, where and what to do. Messages of faults name addresses, and never passwords.
    return { ok: false, detail: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
  }
}

const SeamStateSchema = Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) })
const ReadinessSchema = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not_ready')]),
  seams: Type.Record(Type.String(), SeamStateSchema),
  aggregator: Type.Union([
    Type.Object({
      ok: Type.Boolean(),
      lagRecords: Type.Integer({ description: 'Records of the event log that the usage store has yet to hold' }),
      partitions: Type.Array(Type.Object({ partition: Type.Integer(), lagRecords: Type.Integer(), stalledForMs: Type.Integer() })),
      reasons: Type.Array(Type.String(), { description: 'What is failing now' }),
    }),
    Type.Null(),
  ]),
})

export function readinessRoutes(read: () => Promise<Readiness>): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get(
      '/readyz',
      {
        schema: {
          tags: ['operations'],
          summary: 'May this process be sent requests',
          operationId: 'getReadiness',
          description:
            'Every seam, how far the aggregator is behind, and whether it moves. 503 when one that the roles of this process need does not work.',
          response: { 200: ReadinessSchema, 503: ReadinessSchema },
        },
      },
      async (_request, reply) => {
        const readiness = await read()
        return reply.code(readiness.status === 'ready' ? 200 : 503).send(readiness)
      },
    )
  }
}

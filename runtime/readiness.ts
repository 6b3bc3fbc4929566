import { Type } from 'typebox'
import type { Aggregator } from '../aggregator/aggregator.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import type { Stores } from './stores.ts'

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

/** Ready: every seam answers, the aggregator moves, and the process is not about to stop. */
export async function readReadiness(
  stores: Stores,
  aggregator: Pick<Aggregator, 'health'> | null,
  isDraining: boolean,
): Promise<Readiness> {
  const seams: Record<string, SeamState> = { process: isDraining ? { ok: false, detail: 'stopping' } : { ok: true } }
  const pings = { catalog: stores.catalog, eventLog: stores.eventLog, usageStore: stores.usageStore, counters: stores.counters }
  await Promise.all(
    Object.entries(pings).map(async ([name, store]) => {
      seams[name] = await ping(store)
    }),
  )
  const state = aggregator === null ? null : aggregatorState(aggregator)
  const isReady = Object.values(seams).every((seam) => seam.ok) && (state === null || state.ok)
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
    const { publicText, message } = error as { publicText?: string; message: string }
    return { ok: false, detail: publicText ?? message }
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
          description: 'Every seam, how far the aggregator is behind, and whether it moves. 503 when one of them does not work.',
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

import type { CustomerKey } from '../../domain/identity.ts'
import { compileMeter } from '../../domain/metering/expressions/compiled-meter.ts'
import type { MeterDefinition } from '../../domain/metering/meter.ts'
import { customerHash } from '../../domain/metering/partitioning.ts'
import { isRefusal } from '../../domain/refusal.ts'
import { parseUsageEvent } from '../../ingest/usage-event-parsing.ts'
import { createEventWarnings } from '../../ingest/warnings/event-warnings.ts'
import { createFamiliarCustomers } from '../../ingest/warnings/familiar-customers.ts'
import { createTypeReaders } from '../../ingest/warnings/type-reader.ts'
import { median } from '../distribution.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { METERS, parseContext, requestText, TENANT, usageEvents } from '../stage-fixture.ts'
import { createWorkloadEvents, EVENT_TYPE } from '../usage-workload.ts'

export const metersPart: BenchPart = {
  name: 'meters',
  about: 'what a meter costs per event: plain paths beside expressions and conditions, and the warnings of events in order',
  run: measureMeters,
}

const READINGS: readonly { readonly what: string; readonly definition: Partial<MeterDefinition> }[] = [
  { what: 'plain path: input_tokens', definition: { value: ['input_tokens'] } },
  { what: 'list of two', definition: { value: ['input_tokens', 'output_tokens'] } },
  { what: 'input_tokens + output_tokens', definition: { value: ['input_tokens + output_tokens'] } },
  { what: 'nested path: usage.prompt_tokens', definition: { value: ['usage.prompt_tokens'] } },
  {
    what: 'prompt - coalesce(cached, 0)',
    definition: { value: ['usage.prompt_tokens - coalesce(usage.prompt_tokens_details.cached_tokens, 0)'] },
  },
  { what: 'input_tokens + 0.2 * output_tokens', definition: { value: ['input_tokens + 0.2 * output_tokens'] } },
  { what: 'max(0, input_tokens - output_tokens)', definition: { value: ['max(0, input_tokens - output_tokens)'] } },
  {
    what: 'plain path with where model in two',
    definition: { value: ['input_tokens'], where: { model: { in: ['gpt-4.1', 'gpt-4.1-mini'] } } },
  },
]

async function measureMeters(context: BenchContext): Promise<readonly Figure[]> {
  const rounds = context.isQuick ? 5 : 25
  const events = usageEvents(context.isQuick ? 50_000 : 200_000, 1, Date.now())
  const data = events.map((event) => withUsage(JSON.parse(event.data) as Record<string, unknown>))
  const works = new Map<string, () => void>()
  for (const { what, definition } of READINGS) {
    const { read } = compileMeter({ eventType: EVENT_TYPE, aggregation: 'sum', value: [], dimensions: {}, ...definition })
    works.set(what, () => {
      for (const each of data) read(each)
    })
  }
  for (const [what, work] of await judgingWorks(events.length)) works.set(what, work)
  return inTurn(works, rounds, events.length).map(({ what, nanos, least }) => ({
    what,
    value: nanos,
    unit: 'ns/event',
    note: `least ${least.toFixed(0)}`,
  }))
}

/** Requests as ingest judges them, without and with warnings about events that count for nothing: the difference is the cost of the warnings. */
async function judgingWorks(events: number): Promise<ReadonlyMap<string, () => void>> {
  const nowMs = Date.now()
  const context = parseContext(nowMs + events)
  const workload = createWorkloadEvents({ customers: 5_000, poolEvents: events, repeatShare: 0.01 })
  const bodies: string[] = []
  for (let from = 0; from < events; from += REQUEST_EVENTS) {
    bodies.push(requestText(workload.slice(from, from + REQUEST_EVENTS), from, 1, nowMs))
  }
  const readers = createTypeReaders(METERS)
  const familiar = createFamiliarCustomers(async () => ({ existing: new Set(), similar: new Map() }))
  await familiar.meet(TENANT, [...new Set(workload.map(({ customer }) => customer as CustomerKey))])

  function judge(body: string, isWatched: boolean): void {
    const warnings = createEventWarnings()
    const values = JSON.parse(body) as Readonly<Record<string, unknown>>[]
    const hashes: number[] = []
    for (const [index, value] of values.entries()) {
      const event = parseUsageEvent(value, context)
      if (isRefusal(event)) throw new Error('the workload is in order')
      // The record of an event is found by this hash, with warnings and without.
      hashes.push(customerHash(TENANT, event.customer))
      if (isWatched) warnings.look(index, event, value, readers)
    }
    if (isWatched && !hashes.every(familiar.isFamiliar)) throw new Error('all customers are known')
    if (warnings.list().length > 0) throw new Error('the workload is in order')
  }

  function judgeAll(isWatched: boolean): void {
    for (const body of bodies) judge(body, isWatched)
  }

  return new Map([
    ['parse and validate', () => judgeAll(false)],
    ['parse, validate and look for what to warn of', () => judgeAll(true)],
  ])
}

const REQUEST_EVENTS = 1_000

function withUsage(data: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...data, usage: { prompt_tokens: data.input_tokens, prompt_tokens_details: { cached_tokens: 0 } } }
}

/** Each work runs in every round, so that a disturbance affects all. */
function inTurn(works: ReadonlyMap<string, () => void>, rounds: number, items: number) {
  const measured = new Map([...works.keys()].map((what) => [what, [] as number[]]))
  for (let round = 0; round <= rounds; round++) {
    for (const [what, work] of works) {
      const before = process.cpuUsage()
      work()
      const { user, system } = process.cpuUsage(before)
      // The first lets V8 compile.
      if (round > 0) measured.get(what)?.push(((user + system) * 1_000) / items)
    }
  }
  return [...measured].map(([what, nanos]) => ({ what, nanos: median(nanos), least: Math.min(...nanos) }))
}

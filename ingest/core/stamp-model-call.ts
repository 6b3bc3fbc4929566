import type { InstantMs } from '../../domain/identity.ts'
import { mappedCalls } from '../../domain/model-calls/model-call.ts'
import { COST_KINDS } from '../../domain/model-calls/model-cost-entry.ts'
import { providerName } from '../../domain/model-calls/provider-names.ts'
import { type Json, micros } from '../../domain/model-calls/told-values.ts'
import type { CostTable } from '../../rating/cost-table.ts'

export type StampedCall = {
  /** The data of the event; raw usage beside what it means, and what it cost. */
  readonly data: Json
  /** The data of calls that were made inside it. */
  readonly inner: readonly Json[]
  readonly warning: 'unknown_surface' | 'unreadable_usage' | null
}

/**
 * What a call of a model means in our words, and what it cost by the table in force at its time. Null for an event that stays as
 * it is: one without a surface that names no provider and model, or that nobody has ever given a cost. `costs` is null while
 * the table cannot be had. Pure.
 */
export function stampModelCall(data: Json, atMs: InstantMs, costs: CostTable | null): StampedCall | null {
  if (typeof data.surface === 'string') return stampedSurface(data, atMs, costs)
  if (!namesModel(data) || costs?.isEmpty === true) return null
  const own = withoutCost(data)
  const call = { ...own, provider: providerName(String(data.provider)) }
  return { data: { ...call, ...stampOf(call, atMs, costs) }, inner: [], warning: null }
}

function stampedSurface(data: Json, atMs: InstantMs, costs: CostTable | null): StampedCall {
  const own = Object.fromEntries(Object.entries(withoutCost(data)).filter(([name]) => !CANONICAL.has(name)))
  const mapped = mappedCalls(data)
  if (mapped === null) return { data: { ...own, usage_basis: 'none', cost_status: 'no_usage' }, inner: [], warning: 'unknown_surface' }
  const [call, ...inner] = mapped
  const stamped = { ...own, ...call, ...stampOf({ ...own, ...call }, atMs, costs) }
  const shared = Object.fromEntries(Object.entries(own).filter(([name]) => !OF_THE_CALL.has(name)))
  return {
    data: withBoundedRaw(stamped),
    inner: inner.map((one) => ({ ...shared, ...one, ...stampOf(one, atMs, costs) })),
    warning: call.usage_warning === 'unreadable' ? 'unreadable_usage' : null,
  }
}

function namesModel({ provider, model, response_model, input_tokens, output_tokens }: Json): boolean {
  const hasModel = typeof model === 'string' || typeof response_model === 'string'
  return typeof provider === 'string' && hasModel && (input_tokens !== undefined || output_tokens !== undefined)
}

/** A cost that the client sends is the provider's word, beside ours. */
function withoutCost(data: Json): Json {
  const { cost_micros, cost_rates: _rates, cost_status: _status, cost_missing: _missing, ...rest } = data
  const reported = micros(cost_micros, 0)
  return reported === null ? rest : { ...rest, reported_cost_micros: reported }
}

function stampOf(call: Json, atMs: InstantMs, costs: CostTable | null): Json {
  if (costs === null) return { cost_status: 'table_unavailable' }
  const cost = costs.cost(call, atMs)
  if ('cost_status' in cost) return cost
  return { cost_micros: cost.cost_micros, cost_rates: cost.cost_rates }
}

/** What the mapping alone may say. */
const CANONICAL: ReadonlySet<string> = new Set([...COST_KINDS, 'input_tokens', 'output_tokens', 'usage_basis', 'usage_warning', 'tool'])
/** What a call made inside another has not from it. */
const OF_THE_CALL: ReadonlySet<string> = new Set([
  ...['surface', 'usage', 'response', 'model', 'response_model', 'response_id', 'operation', 'status', 'received_chars', 'prompt_chars'],
  ...['reported_cost_micros', 'cache_hit'],
])

/** Raw usage beyond this is not kept: what was read of it is. */
const RAW_CHARS_MAX = 4_096

function withBoundedRaw(data: Json): Json {
  const large = ['usage', 'response'].filter((name) => data[name] !== undefined && JSON.stringify(data[name]).length > RAW_CHARS_MAX)
  if (large.length === 0) return data
  const kept = Object.fromEntries(Object.entries(data).filter(([name]) => !large.includes(name)))
  return { ...kept, usage_warning: [data.usage_warning, 'raw_dropped'].filter((one) => one !== undefined).join(',') }
}

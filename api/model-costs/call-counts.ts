import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs } from '../../domain/identity.ts'

export type UnpricedModel = {
  readonly provider: string | null
  readonly model: string | null
  readonly status: string
  readonly missing: string | null
  readonly count: number
  readonly sinceMs: InstantMs
  readonly samples: readonly string[]
}

export type CallCounts = {
  add(event: StoredEvent): void
  readonly calls: number
  /** By name: usage basis, warning, status of the call, surface. */
  of(field: 'usage_basis' | 'usage_warning' | 'status' | 'surface'): Readonly<Record<string, number>>
  /** The most frequent first. */
  unpriced(): readonly UnpricedModel[]
}

const SAMPLES_MAX = 5
/** Senders choose models and surfaces freely: beyond this many names calls are counted under `(other)`. */
const NAMES_MAX = 1_000
const OTHER = '(other)'
const FIELDS = ['usage_basis', 'usage_warning', 'status', 'surface'] as const

/** What calls of models say of themselves, counted. */
export function createCallCounts(): CallCounts {
  const counts = new Map(FIELDS.map((field) => [field, new Map<string, number>()]))
  const unpriced = new Map<
    string,
    Omit<UnpricedModel, 'samples' | 'count' | 'sinceMs'> & { count: number; sinceMs: InstantMs; samples: string[] }
  >()
  let calls = 0

  function note({ id, occurredAtMs }: StoredEvent, call: Readonly<Record<string, unknown>>): void {
    const [provider, model, missing] = [call.provider, call.response_model ?? call.model, call.cost_missing].map((one) =>
      typeof one === 'string' ? one : null,
    ) as [string | null, string | null, string | null]
    const status = String(call.cost_status)
    const key = unpriced.size < NAMES_MAX ? JSON.stringify([provider, model, status, missing]) : OTHER
    const group = unpriced.get(key) ?? { provider, model, status, missing, count: 0, sinceMs: occurredAtMs, samples: [] }
    group.count++
    if (occurredAtMs < group.sinceMs) group.sinceMs = occurredAtMs
    if (group.samples.length < SAMPLES_MAX) group.samples.push(id)
    unpriced.set(key, group)
  }

  return {
    add(event) {
      const call = JSON.parse(event.data) as Readonly<Record<string, unknown>>
      calls++
      for (const field of FIELDS) {
        const told = call[field]
        if (typeof told !== 'string') continue
        for (const name of field === 'usage_warning' ? told.split(',') : [told]) {
          const byName = counts.get(field)
          const known = byName !== undefined && (byName.has(name) || byName.size < NAMES_MAX) ? name : OTHER
          byName?.set(known, (byName.get(known) ?? 0) + 1)
        }
      }
      if (call.cost_status !== undefined) note(event, call)
    },
    get calls() {
      return calls
    },
    of: (field) => Object.fromEntries(counts.get(field) ?? []),
    unpriced: () => [...unpriced.values()].sort((a, b) => b.count - a.count),
  }
}

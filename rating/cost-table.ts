import { createBoundedMap } from '../base/bounds/bounded-map.ts'
import type { InstantMs } from '../domain/identity.ts'
import type { ModelCostRevision } from '../domain/model-calls/model-cost-entry.ts'
import { type ModelCost, modelCost, type PricedCall, type Unpriced } from './model-cost.ts'

/** All revisions of one tenant's model costs. */
export type CostTable = {
  /** Nobody has ever given a model a cost. */
  readonly isEmpty: boolean
  /** The revision that prices a call of this model at an instant; null where there is none. */
  find(provider: string, model: string, atMs: InstantMs): ModelCostRevision | null
  /** What the provider charged for a call, or why that cannot be said; a call that a gateway's own cache answered costs nothing. */
  cost(call: PricedCall, atMs: InstantMs): CallCost
}
export type CallCost = ModelCost | Unpriced | { readonly cost_micros: '0'; readonly cost_rates: 'cache_hit' }

/** Names of models, as providers answer them, whose entries are remembered. */
const NAMES_REMEMBERED_MAX = 4_096

export function createCostTable(revisions: readonly ModelCostRevision[]): CostTable {
  const byModel = new Map<string, ModelCostRevision[]>()
  for (const revision of revisions) {
    const key = keyOf(revision.provider, revision.model)
    byModel.set(key, [...(byModel.get(key) ?? []), revision])
  }
  for (const all of byModel.values()) all.sort((a, b) => b.effectiveFromMs - a.effectiveFromMs || b.revision - a.revision)
  const aliased = Map.groupBy([...byModel.values()], (all) => all[0]?.provider ?? '')
  const candidates = createBoundedMap<string, readonly Candidate[]>(NAMES_REMEMBERED_MAX)

  /** Models that some revision names so: the exact one first, then those whose alias fits. */
  function candidatesOf(provider: string, model: string): readonly Candidate[] {
    const key = keyOf(provider, model)
    const known = candidates.get(key)
    if (known !== undefined) return known
    const others = (aliased.get(provider) ?? []).filter((all) => all.some(({ aliases }) => aliases.some((alias) => fits(alias, model))))
    const exact = byModel.get(key)
    const found = [
      ...(exact === undefined ? [] : [{ revisions: exact, isExact: true }]),
      ...others.map((all) => ({ revisions: all, isExact: false })),
    ]
    candidates.set(key, found)
    return found
  }

  function find(provider: string, model: string, atMs: InstantMs): ModelCostRevision | null {
    let best: ModelCostRevision | null = null
    let bestLength = -1
    for (const { revisions: all, isExact } of candidatesOf(provider, model)) {
      const inForce = all.find(({ effectiveFromMs }) => effectiveFromMs <= atMs)
      if (inForce === undefined || inForce.isRetired) continue
      if (isExact) return inForce
      const length = Math.max(-1, ...inForce.aliases.filter((alias) => fits(alias, model)).map((alias) => alias.length))
      if (length > bestLength) [best, bestLength] = [inForce, length]
    }
    return best
  }

  return {
    isEmpty: revisions.length === 0,
    find,
    cost(call, atMs) {
      if (call.cache_hit === true) return { cost_micros: '0', cost_rates: 'cache_hit' }
      if (call.usage_basis === 'none') return { cost_status: 'no_usage' }
      const provider = String(call.provider ?? '')
      const names = [call.response_model, call.model].filter((name) => typeof name === 'string')
      for (const name of names) {
        const entry = find(provider, name, atMs)
        if (entry !== null) return modelCost(entry, call, atMs)
      }
      return { cost_status: 'no_model' }
    },
  }
}

type Candidate = { readonly revisions: readonly ModelCostRevision[]; readonly isExact: boolean }

const keyOf = (provider: string, model: string) => JSON.stringify([provider, model])

/** One `*` stands for any text. */
export function fits(alias: string, name: string): boolean {
  const star = alias.indexOf('*')
  if (star < 0) return alias === name
  const [start, end] = [alias.slice(0, star), alias.slice(star + 1)]
  return name.length >= start.length + end.length && name.startsWith(start) && name.endsWith(end)
}

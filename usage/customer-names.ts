import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { CustomerStore } from '../adapters/database/customers/customer-store.ts'
import { Fault } from '../base/fault.ts'
import type { MaybePromise } from '../base/maybe-promise.ts'
import type { Bounds } from '../domain/bound.ts'
import { customerNamed, isCustomerName, type NameAssignment, type NameHistory } from '../domain/catalog/customer-name.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../domain/identity.ts'

export type NameHistories = ReadonlyMap<string, readonly NameAssignment[]>

/** Which customer a name means: the one resolver of events, reports, decisions, reservations and reads. */
export type CustomerNames = {
  /** The histories of those of the names that have one; the others are keys. At most one call of the catalog. */
  load(tenant: TenantKey, names: Iterable<string>): Promise<NameHistories>
  /** The customer that has the name at an instant; at once when the name was asked for lately. */
  resolve(tenant: TenantKey, name: string, atMs: InstantMs): MaybePromise<CustomerKey>
  /** Forgets what is known of a tenant's names: one of them belongs to another customer. */
  invalidate(tenant: TenantKey): void
  /** Forgets everything: changes may have gone unheard. */
  invalidateAll(): void
}

/** The names of the process, which follow changes by any process. */
export function openCustomerNames(customers: Pick<CustomerStore, 'nameHistories'>, changes: Pick<ChangeFeed, 'subscribe'>): CustomerNames {
  const names = createCustomerNames({ nameHistories: customers.nameHistories, entriesMax: NAME_BOUNDS.names.most })
  changes.subscribe({ topics: ['customerNames'], changed: ({ tenant }) => names.invalidate(tenant), missed: names.invalidateAll })
  return names
}

export const NAME_BOUNDS = {
  names: {
    what: 'names remembered with their customer; the older half goes',
    most: 200_000,
    unit: 'names',
    per: 'process',
    code: null,
    test: 'usage/customer-names.test.ts > answers in full even when it can remember only a few',
  },
} as const satisfies Bounds

/**
 * Remembers the histories of names, and that a name has none, which is the common answer: most events name the customer's own
 * key. Bounded: two halves of which the older is dropped when the younger is full. While the catalog is away, what was known
 * last is good enough: names move seldom, and events must not wait for it.
 */
export function createCustomerNames(options: {
  readonly nameHistories: CustomerStore['nameHistories']
  readonly entriesMax: number
}): CustomerNames {
  let young = new Map<TenantKey, Map<string, Known>>()
  let old = new Map<TenantKey, Map<string, Known>>()
  let youngEntries = 0
  /** What was learned in an earlier epoch is asked again. */
  const epochs = new Map<TenantKey, number>()
  let epochOfAll = 0
  const epochOf = (tenant: TenantKey) => epochOfAll + (epochs.get(tenant) ?? 0)

  function remember(tenant: TenantKey, name: string, known: Known): void {
    let entries = young.get(tenant)
    if (entries === undefined) {
      entries = new Map()
      young.set(tenant, entries)
    }
    if (!entries.has(name)) youngEntries++
    entries.set(name, known)
    if (youngEntries < options.entriesMax / 2) return
    old = young
    young = new Map()
    youngEntries = 0
  }

  function lastKnown(tenant: TenantKey, name: string): Known | undefined {
    const known = young.get(tenant)?.get(name)
    if (known !== undefined) return known
    const older = old.get(tenant)?.get(name)
    if (older !== undefined) remember(tenant, name, older)
    return older
  }

  async function load(tenant: TenantKey, names: Iterable<string>): Promise<NameHistories> {
    const epoch = epochOf(tenant)
    const youngOfTenant = young.get(tenant)
    let found: Map<string, readonly NameAssignment[]> | null = null
    let missing: Set<string> | null = null
    for (const name of names) {
      const known = youngOfTenant?.get(name) ?? lastKnown(tenant, name)
      if (known?.epoch === epoch) {
        if (known.history !== null) found = (found ?? new Map()).set(name, known.history)
      } else missing = (missing ?? new Set()).add(name)
    }
    if (missing === null) return found ?? NOBODYS
    const asked = [...missing].filter(isCustomerName)
    if (asked.length === 0) return found ?? NOBODYS
    const { histories, isCurrent } = await askCatalog(tenant, asked)
    const nobodys: Known = { history: null, epoch }
    for (const name of asked) {
      const history = histories.get(name) ?? null
      if (history !== null) found = (found ?? new Map()).set(name, history)
      // An answer from before an invalidation serves this request only.
      if (isCurrent && epoch === epochOf(tenant)) remember(tenant, name, history === null ? nobodys : { history, epoch })
    }
    return found ?? NOBODYS
  }

  async function askCatalog(tenant: TenantKey, names: readonly string[]) {
    try {
      return { histories: await options.nameHistories(tenant, names), isCurrent: true }
    } catch (error) {
      const known = names.map((name) => [name, lastKnown(tenant, name)] as const)
      if (!(error instanceof Fault && error.canRetry) || known.some(([, each]) => each === undefined)) throw error
      return { histories: new Map(known.map(([name, each]) => [name, each?.history ?? null])), isCurrent: false }
    }
  }

  return {
    load,
    resolve(tenant, name, atMs) {
      const known = lastKnown(tenant, name)
      if (known?.epoch === epochOf(tenant)) return customerNamed(name, known.history, atMs)
      return load(tenant, [name]).then((loaded) => customerNamed(name, loaded.get(name) ?? null, atMs))
    },
    invalidate: (tenant) => void epochs.set(tenant, (epochs.get(tenant) ?? 0) + 1),
    invalidateAll: () => void epochOfAll++,
  }
}

const NOBODYS: NameHistories = new Map()

type Known = { readonly history: NameHistory; readonly epoch: number }

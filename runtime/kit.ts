import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import { type CustomerAdoptions, createCustomerAdoptions } from '../api/adoptions/customer-adoptions.ts'
import { type CustomerTokens, createCustomerTokens } from '../api/me/customer-tokens.ts'
import type { Clock } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'
import type { KeyKind } from '../domain/principal.ts'
import { type AppliedCounters, watchApplied } from '../entitlements/applied-counters.ts'
import { createEntitlements, type Entitlements } from '../entitlements/entitlements.ts'
import type { ReportUsage } from '../entitlements/settlement-writer.ts'
import { appendEvents } from '../ingest/append-events.ts'
import { createRecordWriter, type RecordWriter } from '../ingest/record-writer.ts'
import { type AdoptedCustomers, openAdoptedCustomers } from '../usage/adopted-customers.ts'
import { type CustomerNames, openCustomerNames } from '../usage/customer-names.ts'
import { createUsage, type Usage } from '../usage/usage.ts'
import { createSecret } from './first-key.ts'
import { hashSecret } from './http/keys/key-ring.ts'
import type { Config } from './settings/config.ts'
import type { RoleStores, Stores } from './stores.ts'

/**
 * The parts that stages are built from. A stage names in its own type which parts of the kit it needs, so it knows nothing of the
 * rest. A part that several stages share is made once per process, when the first of them asks for it.
 */
export type Kit = {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly config: Config
  /** Asking for a store that no role of this process opens is a bug. */
  readonly stores: Omit<Stores, 'stop'>
  readonly usage: Usage
  /** What this process applies to the counters. */
  readonly appliedCounters: AppliedCounters
  readonly entitlements: Entitlements
  readonly customerNames: CustomerNames
  readonly adoptedCustomers: AdoptedCustomers
  readonly adoptions: CustomerAdoptions
  readonly customerTokens: CustomerTokens
  /** Null in a process whose roles need no views. */
  readonly keptEvents: { readonly usageStore: UsageStore; readonly completeUntil: Usage['completeUntil'] } | null
  readonly viewWaits: Usage['waits'] | null
  /** All records of this process are appended through this writer, so that they share requests to the log. */
  readonly recordWriter: RecordWriter
  /** Appends usage events that this system makes itself; resolves when they are durable, rejects with the log's fault. */
  readonly submit: ReportUsage
  /** Ids are unique for ever and cannot be guessed. */
  readonly createId: () => string
  readonly secrets: { readonly create: (kind: KeyKind) => string; readonly hash: (secret: string) => string }
}

export function createKit(environment: Pick<Kit, 'clock' | 'log' | 'registry' | 'config'> & { readonly stores: RoleStores }): Kit {
  const { clock, log, registry, config } = environment
  const { eventLog, usageStore, counters } = environment.stores
  const watched = counters === null ? null : watchApplied(counters)
  const stores: Kit['stores'] = {
    ...environment.stores,
    get usageStore() {
      return opened(usageStore, 'usage store')
    },
    get counters() {
      return opened(watched, 'counters').counters
    },
  }
  const usage = once(() => createUsage({ ...stores, clock }))
  const entitlements = once(() => createEntitlements({ ...stores, clock, log, registry }))
  const customerNames = once(() => openCustomerNames(stores.customers, stores.changes))
  const adoptedCustomers = once(() => openAdoptedCustomers(stores.adoptions, stores.changes))
  const customerTokens = once(() =>
    createCustomerTokens({ store: stores.customerTokens, feed: stores.changes, clock, createId: randomUUID }),
  )
  const recordWriter = once(() => createRecordWriter({ eventLog, clock, registry }))
  const submit: ReportUsage = (tenant, events) => appendEvents(recordWriter(), tenant, events)
  const adoptions = once(() =>
    createCustomerAdoptions({
      ...{ adoptions: stores.adoptions, usageStore: stores.usageStore, submit },
      ...{ completeUntil: usage().completeUntil, clock, log: log.child({ stage: 'adoptions' }) },
    }),
  )
  return {
    clock,
    log,
    registry,
    config,
    stores,
    get usage() {
      return usage()
    },
    get appliedCounters() {
      return opened(watched, 'counters').applied
    },
    get entitlements() {
      return entitlements()
    },
    get recordWriter() {
      return recordWriter()
    },
    get adoptedCustomers() {
      return adoptedCustomers()
    },
    get adoptions() {
      return adoptions()
    },
    get customerTokens() {
      return customerTokens()
    },
    get customerNames() {
      return customerNames()
    },
    get keptEvents() {
      return usageStore === null ? null : { usageStore, completeUntil: usage().completeUntil }
    },
    get viewWaits() {
      return usageStore === null ? null : usage().waits
    },
    submit,
    createId: randomUUID,
    secrets: { create: createSecret, hash: hashSecret },
  }
}

function opened<Store>(store: Store | null, name: string): Store {
  invariant(store !== null, `${name} is opened for every role whose stages ask for it`)
  return store
}

function once<Made>(make: () => Made): () => Made {
  let kept: { readonly made: Made } | null = null
  return () => {
    kept ??= { made: make() }
    return kept.made
  }
}

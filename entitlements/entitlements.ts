import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Counters } from '../adapters/counters/counters.ts'
import type { Catalog } from '../adapters/database/catalog.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { Clock } from '../base/clock.ts'
import { type BalanceReader, createBalanceReader } from './balance-reader.ts'
import { type CountersCatchUp, createCountersCatchUp } from './counters-catch-up.ts'
import { createEntitlementCache, type EntitlementCache } from './entitlement-cache.ts'

/** What stages ask about what may still be used; one for the process, so that they share what is cached and waited for. */
export type Entitlements = {
  readonly cache: EntitlementCache
  readonly balances: BalanceReader
  readonly catchUp: CountersCatchUp
}

export function createEntitlements(deps: {
  readonly catalog: Catalog
  readonly counters: Counters
  readonly eventLog: EventLog
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}): Entitlements {
  const { catalog, counters, eventLog, clock, log, registry } = deps
  const { partitions } = eventLog
  const cache = createEntitlementCache({ catalog, clock, registry })
  const catchUp = createCountersCatchUp({ counters, eventLog, clock })
  const balances = createBalanceReader({ catalog, entitlements: cache, counters, catchUp, clock, partitions, log, registry })
  return { cache, balances, catchUp }
}

import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Counters } from '../adapters/counters/counters.ts'
import type { AllowanceOpeningStore } from '../adapters/database/allowance-openings/allowance-opening-store.ts'
import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { EntitlementInputsReader } from '../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { FeatureReader } from '../adapters/database/features/feature-store.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { Clock } from '../base/clock.ts'
import { type BalanceReader, createBalanceReader } from './balance-reader.ts'
import { type CountersCatchUp, createCountersCatchUp } from './counters-catch-up.ts'
import { createEntitlementCache, type EntitlementCache } from './entitlement-cache.ts'

/** Answers the stages' questions about what may still be used; one per process, so that cached values and waits are shared. */
export type Entitlements = {
  readonly cache: EntitlementCache
  readonly balances: BalanceReader
  readonly catchUp: CountersCatchUp
}

export function createEntitlements(deps: {
  readonly entitlementInputs: EntitlementInputsReader
  readonly features: FeatureReader
  readonly allowanceOpenings: AllowanceOpeningStore
  readonly changes: ChangeFeed
  readonly counters: Counters
  readonly eventLog: EventLog
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}): Entitlements {
  const { entitlementInputs, features, allowanceOpenings, changes, counters, eventLog, clock, log, registry } = deps
  const { partitions } = eventLog
  const cache = createEntitlementCache({ entitlementInputs, features, changes, clock, registry })
  const catchUp = createCountersCatchUp({ counters, eventLog, clock })
  const balances = createBalanceReader({ allowanceOpenings, entitlements: cache, counters, catchUp, clock, partitions, log, registry })
  return { cache, balances, catchUp }
}

import type { Logger } from 'pino'
import type { AppliedRecord, Counters } from '../../adapters/counters/counters.ts'
import type { AlertChange, AlertRecord, AlertStore } from '../../adapters/database/alerts/alert-store.ts'
import type { ChangeFeed } from '../../adapters/database/changes.ts'
import type { Clock } from '../../base/clock.ts'
import { isReached } from '../../domain/alerts/alert.ts'
import { allowanceOf } from '../../domain/entitlements/decision.ts'
import type { CustomerKey, FeatureKey, InstantMs, Partition, Period, TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import type { AppliedCounters } from '../../entitlements/applied-counters.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { MeteredSpent } from '../../entitlements/metered-spent.ts'
import { alertData } from './alert-data.ts'

export type EvaluateAlertsDeps = {
  readonly alerts: Pick<AlertStore, 'all' | 'allReached' | 'tell'>
  readonly changes: Pick<ChangeFeed, 'subscribe'>
  readonly counters: Pick<Counters, 'scan'>
  readonly applied: AppliedCounters
  readonly entitlements: Entitlements
  readonly partitions: number
  readonly clock: Clock
  readonly log: Logger
}

export type AlertEvaluation = { start(): void; stop(): Promise<void>; troubles(): readonly string[] }

/**
 * Looks at the counters of every customer for whom something was counted, or whose limits changed, within half a second, where an
 * alert asks for it. What is reached is on record, so a repeat, a replay or another process tells nobody twice. At the start, and
 * when alerts change, all counters are looked at: what was counted while nobody looked is told then.
 */
export function createAlertEvaluation(deps: EvaluateAlertsDeps): AlertEvaluation {
  const { alerts, changes, counters, applied, entitlements, partitions, clock, log } = deps
  const stopping = new AbortController()
  let byFeature: AlertsByFeature = new Map()
  /** Periods in which customers are beyond alerts, by `nameOf`. */
  const reached = new Map<string, Reached>()
  const touched = new Map<string, Touched>()
  let isStale = true
  let sweepAtMs = 0
  let troubles: readonly string[] = []
  let running: Promise<void> = Promise.resolve()

  applied.listen((records: readonly AppliedRecord[]) => {
    if (byFeature.size === 0) return
    for (const { deltas } of records) for (const { tenant, customer, feature } of deltas) touch(tenant, customer, [feature])
  })
  changes.subscribe({ topics: ['alerts', ...CHANGE_MANY], changed: markStale, missed: markStale })
  changes.subscribe({
    topics: CHANGE_ONE,
    changed: ({ tenant, key }) => touch(tenant, key, [...(byFeature.get(tenant)?.keys() ?? [])]),
    missed: markStale,
  })

  function markStale(): void {
    isStale = true
  }

  function touch(tenant: TenantKey, customer: CustomerKey, features: readonly FeatureKey[]): void {
    const ofTenant = byFeature.get(tenant)
    if (ofTenant === undefined) return
    for (const feature of features) {
      if (!ofTenant.has(feature)) continue
      const name = `${tenant}\0${customer}`
      const known = touched.get(name)
      if (known === undefined) touched.set(name, { tenant, customer, features: new Set([feature]) })
      else known.features.add(feature)
    }
  }

  async function refresh(): Promise<void> {
    isStale = false
    byFeature = byTenantAndFeature(await alerts.all())
    reached.clear()
    if (byFeature.size === 0) return
    for (const { tenant, alert, customer, period } of await alerts.allReached()) {
      const record = alertOf(tenant, alert)
      if (record !== undefined) reached.set(nameOf(tenant, alert, customer), { tenant, customer, feature: record.feature, period })
    }
    for (let partition = 0; partition < partitions; partition++) {
      for await (const { customer, counters: own } of counters.scan(partition as Partition)) {
        touch(
          customer.tenant,
          customer.customer,
          own.map(({ feature }) => feature),
        )
        if (stopping.signal.aborted) return
      }
    }
  }

  function alertOf(tenant: TenantKey, key: string): AlertRecord | undefined {
    for (const ofFeature of byFeature.get(tenant)?.values() ?? []) {
      const found = ofFeature.find((alert) => alert.key === key)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Alerts are armed again when their period is over, also of a customer for whom nothing is counted any more. */
  function sweepEnded(nowMs: InstantMs): void {
    if (nowMs < sweepAtMs) return
    sweepAtMs = nowMs + SWEEP_EVERY_MS
    for (const { tenant, customer, feature, period } of reached.values()) if (period.endMs <= nowMs) touch(tenant, customer, [feature])
  }

  /** Whether there is more to do at once. */
  async function round(): Promise<boolean> {
    if (isStale) await refresh()
    sweepEnded(clock.now())
    const batch = [...touched].slice(0, CUSTOMERS_AT_ONCE)
    const found = new Map<TenantKey, AlertChange[]>()
    for (const [name, each] of batch) {
      touched.delete(name)
      try {
        for (const change of await changesOf(each)) found.set(each.tenant, [...(found.get(each.tenant) ?? []), change])
      } catch (error) {
        touch(each.tenant, each.customer, [...each.features])
        throw error
      }
    }
    for (const [tenant, changed] of found) await tell(tenant, changed)
    return touched.size > 0
  }

  async function changesOf({ tenant, customer, features }: Touched): Promise<readonly AlertChange[]> {
    // Counters that are being counted again seem to have fallen.
    await entitlements.catchUp.wait(partitionOf(tenant, customer, partitions))
    const { entitlements: own } = await entitlements.cache.entitlementsOf(tenant, customer)
    const metered = [...features].flatMap((feature) => {
      const entitlement = own.get(feature)
      return entitlement?.type === 'metered' ? [entitlement] : []
    })
    const spent = metered.length === 0 ? [] : await entitlements.balances.spent(tenant, customer, metered)
    return [...features].flatMap((feature) => {
      const ofFeature = spent.find(({ entitlement }) => entitlement.feature === feature)
      return (byFeature.get(tenant)?.get(feature) ?? []).flatMap((alert) => changeOf(tenant, customer, alert, ofFeature) ?? [])
    })
  }

  function changeOf(tenant: TenantKey, customer: CustomerKey, alert: AlertRecord, metered: MeteredSpent | undefined): AlertChange | null {
    if (alert.customers !== null && !alert.customers.includes(customer)) return null
    const known = reached.get(nameOf(tenant, alert.key, customer))
    if (metered === undefined) {
      return known === undefined
        ? null
        : { ...namesOf(alert, customer, known.period), isReached: false, data: alertData(alert, customer, null) }
    }
    const { period } = metered.spent
    const allowance = allowanceOf(metered.entitlement, metered.spent)
    const isNow = isReached(alert.at, allowance)
    if (isNow ? known?.period.startMs === period.startMs : known === undefined) return null
    return { ...namesOf(alert, customer, period), isReached: isNow, data: alertData(alert, customer, { ...allowance, period }) }
  }

  async function tell(tenant: TenantKey, changed: readonly AlertChange[]): Promise<void> {
    const told = await alerts.tell(tenant, changed)
    for (const { alert, customer, period, isReached: isNow } of changed) {
      const name = nameOf(tenant, alert, customer)
      const feature = alertOf(tenant, alert)?.feature
      if (isNow && feature !== undefined) reached.set(name, { tenant, customer, feature, period })
      else reached.delete(name)
    }
    if (told > 0) log.debug({ tenant, told }, 'thresholds told')
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      const hasMore = await round().then(
        (more) => {
          troubles = []
          return more
        },
        (error: unknown) => {
          if (troubles.length === 0) log.warn({ err: error }, 'alerts not evaluated, tried again')
          troubles = ['alerts_not_evaluated']
          return false
        },
      )
      await clock.sleep(hasMore ? 0 : LOOK_EVERY_MS, stopping.signal)
    }
  }

  return {
    start() {
      running = work()
    },
    async stop() {
      stopping.abort()
      await running
    },
    troubles: () => troubles,
  }
}

type AlertsByFeature = ReadonlyMap<TenantKey, ReadonlyMap<FeatureKey, readonly AlertRecord[]>>
type Touched = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly features: Set<FeatureKey> }
type Reached = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly feature: FeatureKey; readonly period: Period }

const CHANGE_ONE = ['customers', 'subscriptions', 'overrides', 'grants', 'resets'] as const
const CHANGE_MANY = ['plans', 'features', 'meters'] as const
const LOOK_EVERY_MS = 500
const SWEEP_EVERY_MS = 5_000
/** Told in one transaction at most. */
const CUSTOMERS_AT_ONCE = 500

function byTenantAndFeature(all: Awaited<ReturnType<AlertStore['all']>>): AlertsByFeature {
  return new Map(
    [...Map.groupBy(all, ({ tenant }) => tenant)].map(([tenant, own]) => [tenant, Map.groupBy(own, ({ feature }) => feature)] as const),
  )
}

function nameOf(tenant: TenantKey, alert: string, customer: CustomerKey): string {
  return `${tenant}\0${alert}\0${customer}`
}

function namesOf({ key }: AlertRecord, customer: CustomerKey, period: Period) {
  return { alert: key, customer, period }
}

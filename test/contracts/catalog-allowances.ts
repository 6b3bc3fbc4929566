import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Catalog, CatalogChange } from '../../adapters/database/catalog.ts'
import type { LedgerSnapshot } from '../../domain/allowance/allowance-ledger.ts'
import type { Grant } from '../../domain/allowance/grant.ts'
import { NANO } from '../../domain/decimal.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import type { OverrideTerms } from '../../domain/entitlements/entitlement-override.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, MeterKey, TenantKey } from '../../domain/identity.ts'
import { isRefusal, orThrow } from '../../domain/refusal.ts'
import type { CatalogPlace } from './catalog.ts'

/** What customers have beside their plans. */
export function describeCatalogAllowances(name: string, makePlace: () => Promise<CatalogPlace>): void {
  describe(`what a customer has beside its plans: ${name}`, () => {
    let place: CatalogPlace
    let catalog: Catalog
    let nowMs = START
    let tenant: TenantKey
    const heard: CatalogChange[] = []
    const open = async () => {
      catalog = await place.open(() => nowMs as InstantMs)
      await catalog.migrate()
      catalog.onChange((change) => heard.push(change))
    }
    beforeAll(async () => {
      place = await makePlace()
      await open()
    })
    afterAll(async () => {
      await catalog.stop()
      await place.remove()
    })
    beforeEach(async () => {
      tenant = `tenant-${randomUUID()}` as TenantKey
      nowMs = START
      const meter = { eventType: 'e', aggregation: 'sum', value: ['v'], dimensions: {} } as const
      orThrow(await catalog.putMeter(tenant, 'm' as MeterKey, meter))
      const named = { name: 'Feature', filter: {}, unit: null }
      orThrow(await catalog.putFeature(tenant, { ...named, key: TOKENS, type: 'metered', meter: 'm' as MeterKey }))
      orThrow(await catalog.putFeature(tenant, { ...named, key: REGION, type: 'config', meter: null }))
      await catalog.ensureCustomers([{ tenant, key: ACME }])
      heard.length = 0
    })
    const inputs = async () => (await catalog.entitlementInputs(tenant, [ACME])).get(ACME) ?? NO_ENTITLEMENT_INPUTS
    const grant = (change: Partial<Grant> = {}) => catalog.createGrant(tenant, { ...GRANT, ...change })
    const announced = { tenant: '', kind: 'entitlement', key: ACME }

    test('of several customers each has what is its own', async () => {
      const OTHER = 'other' as CustomerKey
      await catalog.ensureCustomers([{ tenant, key: OTHER }])
      orThrow(await grant())
      orThrow(await grant({ customer: OTHER }))
      const before = await inputs()
      const alone = (await catalog.entitlementInputs(tenant, [OTHER])).get(OTHER)
      expect([before, alone]).toEqual([NO_ENTITLEMENT_INPUTS, undefined])
      orThrow(await catalog.putOverride(tenant, OTHER, TERMS))
      orThrow(await catalog.putOverride(tenant, ACME, TERMS))
      const both = await catalog.entitlementInputs(tenant, [ACME, OTHER])
      for (const customer of [ACME, OTHER]) {
        expect(both.get(customer)).toMatchObject({ overrides: [{ feature: TERMS.feature }], grants: [{ customer }] })
        expect(both.get(customer)).toEqual((await catalog.entitlementInputs(tenant, [customer])).get(customer))
      }
    })

    describe('overrides', () => {
      test('one is made, changed and deleted, and each change ends the one before', async () => {
        const created = orThrow(await catalog.putOverride(tenant, ACME, TERMS))
        expect(created).toEqual({ result: 'created', value: { ...TERMS, beganMs: START, fromMs: START, untilMs: null } })
        nowMs += 10
        expect(await catalog.putOverride(tenant, ACME, { ...TERMS })).toEqual({ ...created, result: 'same' })
        const changed = orThrow(await catalog.putOverride(tenant, ACME, { ...TERMS, limit: null, rollover: null, onUncertain: 'allow' }))
        expect(changed).toMatchObject({ result: 'changed', value: { limit: null, beganMs: START, fromMs: START + 10 } })
        expect(await catalog.override(tenant, ACME, TOKENS)).toEqual(changed.value)
        nowMs += 10
        expect(await catalog.deleteOverride(tenant, ACME, TOKENS)).toEqual(changed.value)
        expect(await catalog.deleteOverride(tenant, ACME, TOKENS)).toBeNull()
        expect(await catalog.override(tenant, ACME, TOKENS)).toBeNull()
        expect((await inputs()).overrides).toEqual([
          { ...created.value, untilMs: START + 10 },
          { ...changed.value, untilMs: START + 20 },
        ])
        expect(heard).toEqual(Array(3).fill({ ...announced, tenant }))
        nowMs += 10
        expect(await catalog.putOverride(tenant, ACME, TERMS)).toMatchObject({ result: 'created', value: { beganMs: START + 30 } })
      })

      test('changes of one instant, or of a clock that was set back, leave the last one', async () => {
        orThrow(await catalog.putOverride(tenant, ACME, TERMS))
        orThrow(await catalog.putOverride(tenant, ACME, { ...TERMS, limit: '2' }))
        nowMs -= 1000
        orThrow(await catalog.putOverride(tenant, ACME, { ...TERMS, limit: '3' }))
        expect((await inputs()).overrides).toMatchObject([{ limit: '3', beganMs: START, fromMs: START, untilMs: null }])
      })

      test('50 at once leave one in force', async () => {
        await Promise.all(Array.from({ length: 50 }, (_, n) => catalog.putOverride(tenant, ACME, { ...TERMS, limit: `${n}` })))
        expect((await inputs()).overrides.filter(({ untilMs }) => untilMs === null)).toHaveLength(1)
      })

      test('a value is any JSON, and the inputs hold the feature without any subscription', async () => {
        const value = { zones: [1, null], name: 'eu' }
        const terms: OverrideTerms = { ...TERMS, feature: REGION, limit: null, limitType: 'soft', rollover: null, value }
        orThrow(await catalog.putOverride(tenant, ACME, terms))
        expect(await inputs()).toMatchObject({ subscriptions: [], features: [{ key: REGION }], overrides: [{ value }] })
      })

      test('an unknown customer or feature is refused', async () => {
        expect(await catalog.putOverride(tenant, 'nobody' as CustomerKey, TERMS)).toMatchObject({ code: 'unknown_customer' })
        const unknown = { ...TERMS, feature: 'nothing' as FeatureKey }
        expect(await catalog.putOverride(tenant, ACME, unknown)).toMatchObject({ code: 'unknown_feature', errors: [{ field: 'feature' }] })
      })
    })

    describe('grants', () => {
      test('they are appended and voided, and nothing else changes of them', async () => {
        const first = orThrow(await grant())
        expect(first).toEqual({ ...GRANT, id: expect.stringMatching(/^grant_/), voidedAtMs: null })
        nowMs += 5
        const second = orThrow(await grant({ amount: 10n ** 28n, expiresAtMs: null, createdAtMs: at(nowMs) }))
        expect((await catalog.grants(tenant, { customer: ACME }, { limit: 10 })).data).toEqual([first, second])
        nowMs += 5
        const voided = { ...first, voidedAtMs: START + 10 }
        expect(await catalog.voidGrant(tenant, first.id)).toEqual(voided)
        nowMs += 5
        expect(await catalog.voidGrant(tenant, first.id)).toEqual(voided)
        expect(await catalog.voidGrant(tenant, 'grant_none' as GrantId)).toBeNull()
        expect(await catalog.voidGrant('other' as TenantKey, second.id)).toBeNull()
        expect(heard.every(({ kind, key }) => kind === 'entitlement' && key === ACME)).toBe(true)
        expect(heard).toHaveLength(4)
        expect((await inputs()).grants).toEqual([])
        orThrow(await catalog.putOverride(tenant, ACME, TERMS))
        expect((await inputs()).grants).toEqual([voided, second])
      })

      test('pages hold those of one feature, or of all, once', async () => {
        for (let n = 0; n < 5; n++) orThrow(await grant({ createdAtMs: at(START + n) }))
        const first = await catalog.grants(tenant, { customer: ACME, feature: TOKENS }, { limit: 3 })
        const cursor = first.nextCursor ?? 'there is a next page'
        const rest = await catalog.grants(tenant, { customer: ACME, feature: TOKENS }, { limit: 3, cursor })
        expect(new Set([...first.data, ...rest.data].map(({ id }) => id)).size).toBe(5)
        expect(rest.nextCursor).toBeNull()
        expect((await catalog.grants(tenant, { customer: ACME, feature: REGION }, { limit: 3 })).data).toEqual([])
      })

      test.each([
        { change: { customer: 'nobody' as CustomerKey }, code: 'unknown_customer' },
        { change: { feature: 'nothing' as FeatureKey }, code: 'unknown_feature' },
        { change: { feature: 'region' as FeatureKey }, code: 'feature_not_metered' },
      ])('refused: $code', async ({ change, code }) => {
        expect(await grant(change)).toMatchObject({ code })
        expect(heard).toEqual([])
      })
    })

    test('a reset by hand is on record, with who, when, before and after', async () => {
      const reset = {
        customer: ACME,
        feature: TOKENS,
        atMs: at(START + 7),
        by: 'key_1',
        reason: 'an outage of ours',
        before: { used: '12.5', remaining: null, overage: '0' },
        after: { used: '0', remaining: '1', overage: '0' },
      }
      const recorded = orThrow(await catalog.recordReset(tenant, reset))
      expect(recorded).toEqual({ ...reset, id: expect.stringMatching(/^reset_/) })
      const second = orThrow(await catalog.recordReset(tenant, { ...reset, atMs: at(START + 8), reason: null }))
      const page = await catalog.resets(tenant, { customer: ACME, feature: TOKENS }, { limit: 1 })
      expect(page).toEqual({ data: [recorded], nextCursor: expect.any(String) })
      const rest = await catalog.resets(tenant, { customer: ACME, feature: TOKENS }, { limit: 1, cursor: page.nextCursor ?? '' })
      expect(rest).toEqual({ data: [second], nextCursor: null })
      expect(isRefusal(await catalog.recordReset(tenant, { ...reset, feature: REGION }))).toBe(true)
      orThrow(await catalog.putOverride(tenant, ACME, TERMS))
      expect((await inputs()).manualResets).toEqual([START + 7, START + 8].map((atMs) => ({ feature: TOKENS, atMs })))
      expect(heard[0]).toEqual({ ...announced, tenant })
    })

    test('an opening is kept as it is, until a later one or one of another basis', async () => {
      orThrow(await catalog.putOverride(tenant, ACME, TERMS))
      heard.length = 0
      const save = (basis: string, change: Partial<LedgerSnapshot>) =>
        catalog.saveOpening(tenant, ACME, { feature: TOKENS, basis, ledger: { ...LEDGER, ...change } })
      await save('a', {})
      expect((await inputs()).openings).toEqual([{ feature: TOKENS, basis: 'a', ledger: LEDGER }])
      await save('a', { atMs: at(START - 1), overage: 1n })
      await save('a', { overage: 1n })
      expect((await inputs()).openings).toMatchObject([{ ledger: LEDGER }])
      await save('a', { atMs: at(START + 1), rollover: null })
      expect((await inputs()).openings).toMatchObject([{ ledger: { atMs: START + 1, rollover: null } }])
      await save('b', {})
      expect((await inputs()).openings).toMatchObject([{ basis: 'b', ledger: LEDGER }])
      expect(heard).toEqual(Array(3).fill({ ...announced, tenant }))
    })

    test('everything is there after a restart', async () => {
      orThrow(await catalog.putOverride(tenant, ACME, TERMS))
      orThrow(await grant())
      const before = await inputs()
      await catalog.stop()
      await open()
      expect(await inputs()).toEqual(before)
    })
  })
}

const START = Date.UTC(2026, 0, 31, 12, 0, 0, 123)
const at = (ms: number) => ms as InstantMs
const TOKENS = 'tokens' as FeatureKey
const REGION = 'region' as FeatureKey
const ACME = 'acme' as CustomerKey
const TERMS: OverrideTerms = {
  feature: TOKENS,
  limit: '1000.5',
  limitType: 'hard',
  reset: 'day',
  anchor: null,
  rollover: { percent: '50', max: null },
  value: null,
}
const GRANT: Omit<Grant, 'id' | 'voidedAtMs'> = {
  customer: ACME,
  feature: TOKENS,
  amount: 5n * NANO + 1n,
  priority: 100,
  effectiveAtMs: at(START + 1),
  expiresAtMs: at(START + 2),
  createdAtMs: at(START),
}
const LEDGER: LedgerSnapshot = {
  atMs: at(START),
  lastResetMs: at(START - 10),
  periodEndMs: at(START + 10),
  planBurned: 10n ** 28n + 1n,
  rollover: { amount: 3n, left: 2n, burned: 1n },
  grants: [{ id: 'grant_1' as GrantId, left: 10n ** 28n, burned: 0n }],
  corrected: 0n,
  overage: 7n,
}

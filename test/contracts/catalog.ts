import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Catalog, CatalogChange, Customer } from '../../adapters/database/catalog.ts'
import type { Feature, PlanVersion } from '../../domain/catalog/plan.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, PlanKey, ProductKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import type { MeterDefinition } from '../../domain/metering/meter.ts'
import { isRefusal, orThrow, refuse } from '../../domain/refusal.ts'

/** Somewhere that a catalog is kept: opened, stopped and opened again, it is the same. */
export type CatalogPlace = {
  open(now: () => InstantMs): Promise<Catalog>
  remove(): Promise<void>
}

/** What every implementation does. Each test is a tenant of its own. */
export function describeCatalog(name: string, makePlace: () => Promise<CatalogPlace>): void {
  describe(`catalog: ${name}`, () => {
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
    beforeEach(() => {
      tenant = `tenant-${randomUUID()}` as TenantKey
      nowMs = START
      heard.length = 0
    })
    const putMeter = async (key: MeterKey, change: Partial<MeterDefinition> = {}) =>
      orThrow(await catalog.putMeter(tenant, key, { ...TOKENS_METER, ...change }))
    const putFeature = (change: Partial<Feature> = {}) => catalog.putFeature(tenant, { ...TOKENS_FEATURE, ...change })
    const putPlan = (change: Partial<PlanVersion> = {}) => catalog.putPlan(tenant, { ...PRO, ...change })
    const putCustomer = (key: string, change: Partial<Customer> = {}) =>
      catalog.putCustomer(tenant, { key: key as CustomerKey, name: null, email: null, subjects: [], metadata: {}, ...change })
    const subscribe = async (customer = 'acme', startMs = START) =>
      orThrow(
        await catalog.createSubscription(tenant, {
          customer: customer as CustomerKey,
          plan: PRO.plan,
          startMs: at(startMs),
          anchorMs: at(startMs),
        }),
      )
    const withPlan = async () => {
      await putMeter(TOKENS)
      orThrow(await putFeature())
      await catalog.putProduct(tenant, PRODUCT)
      return orThrow(await putPlan())
    }
    const withSubscription = async () => {
      await withPlan()
      orThrow(await putCustomer('acme'))
      return await subscribe()
    }

    test('migrating again changes nothing', async () => {
      await putMeter(TOKENS)
      await catalog.migrate()
      expect(await catalog.meter(tenant, TOKENS)).toMatchObject(TOKENS_METER)
      await catalog.ping()
    })

    describe('keys', () => {
      test('a key is found by the hash of its secret, and belongs to its tenant', async () => {
        expect(await catalog.hasKeys(tenant)).toBe(false)
        const secretHash = randomUUID()
        const record = await catalog.createKey({ tenant, name: 'web', scopes: ['ingest', 'read'], secretHash })
        expect(record).toMatchObject({ name: 'web', tenant, scopes: ['ingest', 'read'], createdAtMs: START })
        expect(await catalog.findKey(secretHash)).toEqual({ keyId: record.id, tenant, scopes: ['ingest', 'read'] })
        expect(await catalog.findKey('unknown')).toBeNull()
        expect(await catalog.keys(tenant)).toEqual([record])
        expect(await catalog.hasKeys(tenant)).toBe(true)
        expect(await catalog.keys('other' as TenantKey)).toEqual([])
        expect(heard).toEqual([{ tenant, kind: 'key', key: record.id }])
      })
    })

    describe('meters', () => {
      test('a put is created, same or changed, and only a change makes a new revision', async () => {
        const created = await putMeter(TOKENS)
        expect(created).toEqual({ result: 'created', value: { tenant, key: TOKENS, revision: expect.any(Number), ...TOKENS_METER } })
        expect(await putMeter(TOKENS, { dimensions: { region: 'region', model: 'model' } })).toEqual({ ...created, result: 'same' })
        const changed = await putMeter(TOKENS, { aggregation: 'max' })
        expect(changed).toMatchObject({ result: 'changed', value: { aggregation: 'max' } })
        expect(changed.value.revision).toBeGreaterThan(created.value.revision)
        expect(await catalog.meter(tenant, TOKENS)).toEqual(changed.value)
        expect(heard.map(({ kind, key }) => `${kind} ${key}`)).toEqual(['meter tokens', 'meter tokens'])
      })

      test('what a meter reads, selects and allows comes back as it was put, and a change of it is one', async () => {
        const rules = { where: { status: { in: ['ok', 2] }, error: { exists: false } }, onInexact: 'refuse', allowNegative: true } as const
        const value = ['a["b.c"] - coalesce(d, 0)']
        const ruled = await putMeter(TOKENS, { ...rules, value })
        expect(ruled.value).toEqual({ tenant, key: TOKENS, revision: expect.any(Number), ...TOKENS_METER, ...rules, value })
        expect(await catalog.meter(tenant, TOKENS)).toEqual(ruled.value)
        expect(await putMeter(TOKENS, { ...rules, value })).toEqual({ ...ruled, result: 'same' })
        expect(await putMeter(TOKENS, { value })).toMatchObject({ result: 'changed' })
      })

      test('a revision never comes back, over deletion and restart', async () => {
        const first = await putMeter(TOKENS)
        expect(await catalog.deleteMeter(tenant, TOKENS)).toEqual(first.value)
        expect(await catalog.deleteMeter(tenant, TOKENS)).toBeNull()
        await catalog.stop()
        await open()
        const second = await putMeter(TOKENS)
        expect(second).toMatchObject({ result: 'created' })
        expect(second.value.revision).toBeGreaterThan(first.value.revision)
      })

      test('puts of many meters at once have each a revision of its own', async () => {
        const keys = Array.from({ length: 20 }, (_, n) => `m${n}` as MeterKey)
        const put = await Promise.all(keys.map((key) => putMeter(key)))
        expect(new Set(put.map(({ value }) => value.revision)).size).toBe(20)
        const revisionOf = new Map((await catalog.allMeters()).map((meter) => [`${meter.tenant} ${meter.key}`, meter.revision]))
        for (const { value } of put) expect(revisionOf.get(`${tenant} ${value.key}`)).toBe(value.revision)
      })

      test('meters get reserved revisions all together, or none when one has changed', async () => {
        const meters = [(await putMeter(TOKENS)).value, (await putMeter('calls' as MeterKey)).value]
        const revisions = await catalog.reserveMeterRevisions(2)
        expect(Math.min(...revisions)).toBeGreaterThan(Math.max(...meters.map(({ revision }) => revision)))
        const changes = meters.map((meter, at) => ({ meter, revision: revisions[at] ?? 0 }))
        heard.length = 0
        expect(await catalog.reviseMeters(changes)).toBe(true)
        expect(await catalog.meter(tenant, TOKENS)).toEqual({ ...meters[0], revision: revisions[0] })
        expect(heard.map(({ kind, key }) => `${kind} ${key}`)).toEqual(['meter tokens', 'meter calls'])
        expect(await catalog.reviseMeters(changes)).toBe(false)
        const [third] = await catalog.reserveMeterRevisions(1)
        const stale = { meter: changes[1]?.meter ?? meters[1], revision: (third ?? 0) + 1 }
        const current = await catalog.meter(tenant, TOKENS)
        if (current === null || stale.meter === undefined) throw new Error('the meters were put above')
        expect(
          await catalog.reviseMeters([
            { meter: current, revision: third ?? 0 },
            { ...stale, meter: stale.meter },
          ]),
        ).toBe(false)
        expect(await catalog.meter(tenant, TOKENS)).toEqual(current)
      })

      test('a meter that a feature reads stays', async () => {
        await putMeter(TOKENS)
        orThrow(await putFeature())
        expect(await catalog.deleteMeter(tenant, TOKENS)).toMatchObject({ code: 'meter_in_use', fields: { meter: TOKENS } })
        expect(await catalog.meter(tenant, TOKENS)).not.toBeNull()
      })

      test('a dimension that a feature or a charge filters on stays', async () => {
        await withPlan()
        const withoutRegion = await catalog.putMeter(tenant, TOKENS, { ...TOKENS_METER, dimensions: { model: 'model' } })
        expect(withoutRegion).toMatchObject({
          code: 'dimension_in_use',
          fields: { user: { plan: 'pro', charge: 'eu' }, dimension: 'region' },
        })
        const withoutModel = await catalog.putMeter(tenant, TOKENS, { ...TOKENS_METER, dimensions: { region: 'region' } })
        expect(withoutModel).toMatchObject({ code: 'dimension_in_use', fields: { user: { feature: 'tokens' }, dimension: 'model' } })
        expect(await putMeter(TOKENS, { dimensions: { ...TOKENS_METER.dimensions, zone: 'zone' } })).toMatchObject({ result: 'changed' })
      })

      test('pages hold every meter once, in the order of their keys', async () => {
        const keys = ['a', 'B', 'c/d', 'c', 'é'.normalize(), 'z'].map((key) => key as MeterKey)
        for (const key of keys) await putMeter(key)
        expect(await everyPage((page) => catalog.meters(tenant, page), 2)).toEqual(['B', 'a', 'c', 'c/d', 'z', 'é'])
        await expect(catalog.meters(tenant, { limit: 2, cursor: 'no cursor!' })).rejects.toMatchObject({
          refusal: { code: 'invalid_cursor' },
        })
      })
    })

    describe('features and products', () => {
      test('a feature needs its meter, keeps its type, and is put like everything', async () => {
        expect(await putFeature()).toMatchObject({ code: 'unknown_meter', errors: [{ field: 'meter' }] })
        expect(await catalog.feature(tenant, TOKENS_FEATURE.key)).toBeNull()
        await putMeter(TOKENS)
        expect(await putFeature()).toEqual({ result: 'created', value: TOKENS_FEATURE })
        expect(await putFeature()).toMatchObject({ result: 'same' })
        expect(await putFeature({ name: 'All tokens' })).toMatchObject({ result: 'changed' })
        expect(await putFeature({ type: 'boolean', meter: null, filter: {} })).toMatchObject({
          code: 'feature_type_fixed',
          fields: { wanted: 'boolean' },
        })
        expect(await catalog.feature(tenant, TOKENS_FEATURE.key)).toEqual({ ...TOKENS_FEATURE, name: 'All tokens' })
        orThrow(await putFeature({ key: 'sso' as FeatureKey, type: 'boolean', meter: null, filter: {}, unit: null }))
        expect(await everyPage((page) => catalog.features(tenant, page), 1)).toEqual(['sso', 'tokens'])
      })

      test('a product is created, same or changed', async () => {
        expect(await catalog.putProduct(tenant, PRODUCT)).toEqual({ result: 'created', value: PRODUCT })
        expect(await catalog.putProduct(tenant, PRODUCT)).toMatchObject({ result: 'same' })
        expect(await catalog.putProduct(tenant, { ...PRODUCT, description: 'All of it' })).toMatchObject({ result: 'changed' })
        expect(await catalog.product(tenant, PRODUCT.key)).toEqual({ ...PRODUCT, description: 'All of it' })
        expect(await catalog.product('other' as TenantKey, PRODUCT.key)).toBeNull()
        expect(await everyPage((page) => catalog.products(tenant, page), 1)).toEqual(['ai'])
      })
    })

    describe('plans', () => {
      test('a plan needs its product and features', async () => {
        expect(await putPlan()).toMatchObject({ code: 'unknown_product', errors: [{ field: 'product' }] })
        await catalog.putProduct(tenant, PRODUCT)
        expect(await putPlan()).toMatchObject({
          code: 'unknown_feature',
          errors: [{ field: 'charges[0].feature' }, { field: 'entitlements[0].feature' }],
        })
        expect(await catalog.plan(tenant, PRO.plan)).toBeNull()
      })

      test('a change makes the next version and older ones stay', async () => {
        expect(await withPlan()).toEqual({ result: 'created', value: { ...PRO, version: 1 } })
        expect(await putPlan()).toEqual({ result: 'same', value: { ...PRO, version: 1 } })
        expect(await putPlan({ baseFee: '30' })).toMatchObject({ result: 'changed', value: { version: 2 } })
        expect(await catalog.plan(tenant, PRO.plan)).toMatchObject({ version: 2, baseFee: '30' })
        expect(await catalog.plan(tenant, PRO.plan, 1)).toEqual({ ...PRO, version: 1 })
        expect(await catalog.plan(tenant, PRO.plan, 3)).toBeNull()
        orThrow(await putPlan({ plan: 'free' as PlanKey }))
        const page = await catalog.plans(tenant, { limit: 10 })
        expect(page.data.map(({ plan, version }) => `${plan} ${version}`)).toEqual(['free 1', 'pro 2'])
      })

      test('50 equal puts at once make one version, 50 different ones make 50', async () => {
        await withPlan()
        const equal = await Promise.all(Array.from({ length: 50 }, () => putPlan({ baseFee: '99' })))
        expect(equal.map((put) => orThrow(put).value.version)).toEqual(Array(50).fill(2))
        expect(equal.filter((put) => orThrow(put).result === 'changed')).toHaveLength(1)
        const different = await Promise.all(Array.from({ length: 50 }, (_, n) => putPlan({ baseFee: `${n}` })))
        expect(different.map((put) => orThrow(put).value.version).sort((a, b) => a - b)).toEqual(
          Array.from({ length: 50 }, (_, n) => n + 3),
        )
      })
    })

    describe('customers', () => {
      test('a customer is put with its subjects, which then lead to it', async () => {
        const acme = { name: 'Acme', email: 'a@acme.test', subjects: ['u2', 'u1'], metadata: { tier: { level: 3 } } }
        expect(await putCustomer('acme', acme)).toMatchObject({ result: 'created' })
        expect(await putCustomer('acme', acme)).toMatchObject({ result: 'same' })
        expect(await catalog.customer(tenant, 'acme' as CustomerKey)).toEqual({ key: 'acme', ...acme })
        expect(await catalog.resolveSubjects(tenant, ['u1', 'u2', 'acme', 'u3'])).toEqual(
          new Map([
            ['u1', 'acme'],
            ['u2', 'acme'],
          ]),
        )
        expect(await putCustomer('acme', { ...acme, subjects: ['u3'] })).toMatchObject({ result: 'changed' })
        expect(await catalog.resolveSubjects(tenant, ['u1', 'u3'])).toEqual(new Map([['u3', 'acme']]))
        expect(await catalog.resolveSubjects('other' as TenantKey, ['u3'])).toEqual(new Map())
      })

      test.each([
        { title: 'another customer has it as a subject', subjects: ['x', 'shared'], field: 'subjects[1]' },
        { title: 'it is another customer', subjects: ['acme'], field: 'subjects[0]' },
      ])('a subject is refused when $title', async ({ subjects, field }) => {
        orThrow(await putCustomer('acme', { subjects: ['shared'] }))
        expect(await putCustomer('other', { subjects })).toMatchObject({ code: 'subject_taken', errors: [{ field }] })
        expect(await catalog.customer(tenant, 'other' as CustomerKey)).toBeNull()
        expect(await putCustomer('shared')).toMatchObject({ code: 'subject_taken', errors: [{ field: 'key' }] })
      })

      test('of customers that claim one subject at once one gets it', async () => {
        const puts = await Promise.all(Array.from({ length: 20 }, (_, n) => putCustomer(`c${n}`, { subjects: [`own-${n}`, 'shared'] })))
        expect(puts.filter((put) => !isRefusal(put))).toHaveLength(1)
        const claimKeyAndSubject = await Promise.all([putCustomer('name'), putCustomer('rival', { subjects: ['name'] })])
        expect(claimKeyAndSubject.filter((put) => !isRefusal(put))).toHaveLength(1)
      })

      test('customers seen in events are made once, bare, and leave known ones alone', async () => {
        orThrow(await putCustomer('acme', { name: 'Acme' }))
        heard.length = 0
        const seen = ['acme', 'new-1', 'new-2'].map((key) => ({ tenant, key: key as CustomerKey }))
        await Promise.all([catalog.ensureCustomers(seen), catalog.ensureCustomers(seen.toReversed()), catalog.ensureCustomers([])])
        expect(await catalog.customer(tenant, 'acme' as CustomerKey)).toMatchObject({ name: 'Acme' })
        expect(await catalog.customer(tenant, 'new-1' as CustomerKey)).toEqual({
          key: 'new-1',
          name: null,
          email: null,
          subjects: [],
          metadata: {},
        })
        expect(heard.map(({ key }) => key).sort()).toEqual(['new-1', 'new-2'])
        expect(await putCustomer('new-1', { subjects: ['s'] })).toMatchObject({ result: 'changed' })
        const page = await catalog.customers(tenant, { limit: 2 })
        expect(page).toMatchObject({ data: [{ key: 'acme' }, { key: 'new-1', subjects: ['s'] }], nextCursor: expect.any(String) })
      })
    })

    describe('subscriptions', () => {
      test('starts on the latest version of its plan and is found by id and customer', async () => {
        await withPlan()
        orThrow(await putPlan({ baseFee: '30' }))
        orThrow(await putCustomer('acme'))
        const subscription = await subscribe('acme', START - 1)
        expect(subscription).toEqual({
          id: expect.any(String),
          customer: 'acme',
          startMs: START - 1,
          anchorMs: START - 1,
          endMs: null,
          phases: [{ plan: 'pro', planVersion: 2, startMs: START - 1, endMs: null }],
        })
        expect(await catalog.subscription(tenant, subscription.id)).toEqual(subscription)
        expect(await catalog.subscription('other' as TenantKey, subscription.id)).toBeNull()
        expect(heard.at(-1)).toEqual({ tenant, kind: 'subscription', key: 'acme' })
        const all = [subscription.id]
        for (let n = 0; n < 4; n++) {
          nowMs++
          all.push((await subscribe()).id)
        }
        orThrow(await putCustomer('other'))
        await subscribe('other')
        const ofAcme = (page: { limit: number; cursor?: string }) =>
          catalog.subscriptions(tenant, { customer: 'acme' as CustomerKey }, page)
        expect(await everyPage(ofAcme, 2)).toEqual(all)
        expect((await catalog.subscriptions(tenant, {}, { limit: 100 })).data).toHaveLength(6)
      })

      test('an unknown customer or plan is refused', async () => {
        await withPlan()
        const start = { startMs: at(START), anchorMs: at(START) }
        expect(await catalog.createSubscription(tenant, { customer: 'nobody' as CustomerKey, plan: PRO.plan, ...start })).toMatchObject({
          code: 'unknown_customer',
          errors: [{ field: 'customer', refusal: { fields: { customer: 'nobody' } } }],
        })
        orThrow(await putCustomer('acme'))
        const unknown = await catalog.createSubscription(tenant, { customer: 'acme' as CustomerKey, plan: 'nowhere' as PlanKey, ...start })
        expect(unknown).toMatchObject({ code: 'unknown_plan', errors: [{ field: 'plan', refusal: { fields: { plan: 'nowhere' } } }] })
      })

      test('of one customer there are 100 open ones at most, also when asked for at once', async () => {
        await withSubscription()
        const start = { customer: 'acme' as CustomerKey, plan: PRO.plan, startMs: at(START), anchorMs: at(START) }
        const made = await Promise.all(Array.from({ length: 101 }, () => catalog.createSubscription(tenant, start)))
        expect(made.filter(isRefusal)).toMatchObject([{ code: 'too_many_subscriptions' }, { code: 'too_many_subscriptions' }])
      })

      test('an update is decided from what stands, and none is lost', async () => {
        const { id } = await withSubscription()
        orThrow(await putPlan({ baseFee: '30' }))
        const cancelled = await catalog.updateSubscription(tenant, id, (subscription, planVersions) => {
          expect(planVersions).toEqual([{ ...PRO, version: 1 }])
          const [phase] = subscription.phases
          if (phase === undefined) throw new Error('a subscription has a phase')
          const phases = [
            { ...phase, endMs: at(START + 5) },
            { plan: PRO.plan, planVersion: 2, startMs: at(START + 5), endMs: null },
          ]
          return { ...subscription, endMs: at(START + 10), phases }
        })
        expect(cancelled).toMatchObject({ endMs: START + 10, phases: [{ endMs: START + 5 }, { planVersion: 2 }] })
        expect(await catalog.subscription(tenant, id)).toEqual(cancelled)
        const later = () =>
          catalog.updateSubscription(tenant, id, (subscription) => ({ ...subscription, endMs: at((subscription.endMs ?? 0) + 1) }))
        await Promise.all(Array.from({ length: 20 }, later))
        expect(await catalog.subscription(tenant, id)).toMatchObject({ endMs: START + 30 })
        expect(await catalog.updateSubscription(tenant, id, () => refuse('no_period_end', { subscription: id }))).toMatchObject({
          code: 'no_period_end',
        })
        expect(await catalog.updateSubscription(tenant, 'sub_none' as SubscriptionId, (subscription) => subscription)).toBeNull()
      })

      test('entitlement inputs hold all that the customer subscribed to', async () => {
        const subscription = await withSubscription()
        orThrow(await putPlan({ baseFee: '30' }))
        const second = await subscribe()
        const [acme, nobody] = ['acme' as CustomerKey, 'nobody' as CustomerKey]
        const inputs = (await catalog.entitlementInputs(tenant, [acme])).get(acme) ?? NO_ENTITLEMENT_INPUTS
        expect(inputs.subscriptions).toEqual(expect.arrayContaining([subscription, second]))
        expect(inputs.subscriptions).toHaveLength(2)
        expect(inputs.planVersions.map(({ version }) => version).sort()).toEqual([1, 2])
        expect(inputs.features).toEqual([TOKENS_FEATURE])
        expect(inputs.meters).toEqual([await catalog.meter(tenant, TOKENS)])
        expect(await catalog.entitlementInputs(tenant, [nobody])).toEqual(new Map())

        orThrow(await putCustomer('other'))
        const ofOther = await subscribe('other')
        const other = 'other' as CustomerKey
        const ofBoth = await catalog.entitlementInputs(tenant, [other, nobody, acme, other])
        expect([...ofBoth.keys()].sort()).toEqual([acme, other])
        expect(ofBoth.get(acme)).toEqual(inputs)
        expect(ofBoth.get(other)).toEqual({ ...inputs, subscriptions: [ofOther], planVersions: [expect.objectContaining({ version: 2 })] })
      })
    })

    test('invoice inputs hold what many subscriptions are billed by, of those that there are', async () => {
      const first = await withSubscription()
      orThrow(await putPlan({ baseFee: '30' }))
      const second = await subscribe()
      const third = await subscribe()
      const ids = [second.id, 'sub_none' as SubscriptionId, first.id]
      const inputs = await catalog.invoiceInputs(tenant, ids)
      expect(inputs.subscriptions).toEqual(new Map([first, second].map((subscription) => [subscription.id, subscription])))
      expect(inputs.planVersions.toSorted((a, b) => a.version - b.version)).toEqual([
        { ...PRO, version: 1 },
        { ...PRO, version: 2, baseFee: '30' },
      ])
      expect(inputs.features).toEqual([TOKENS_FEATURE])
      expect(inputs.meters).toEqual([await catalog.meter(tenant, TOKENS)])
      expect((await catalog.invoiceInputs(tenant, [third.id])).planVersions.map(({ version }) => version)).toEqual([2])
      const nothing = { subscriptions: new Map(), planVersions: [], features: [], meters: [] }
      expect(await catalog.invoiceInputs('other' as TenantKey, ids)).toEqual(nothing)
      expect(await catalog.invoiceInputs(tenant, [])).toEqual(nothing)
    })

    describe('idempotency keys', () => {
      const claim = (requestHash = 'hash-1', key = 'k') => catalog.claimIdempotencyKey(tenant, key, requestHash, at(nowMs))

      test('the same request is answered as before, another one refused', async () => {
        expect(await claim()).toBeNull()
        expect(await claim()).toMatchObject({ code: 'idempotency_key_in_use' })
        expect(await claim('hash-2')).toMatchObject({ code: 'idempotency_key_reused' })
        const answer = { status: 201, body: '{"id":"x"}' }
        await catalog.saveIdempotentAnswer(tenant, 'k', answer)
        expect(await claim()).toEqual(answer)
        expect(await claim('hash-2')).toMatchObject({ code: 'idempotency_key_reused' })
        expect(await catalog.claimIdempotencyKey('other' as TenantKey, 'k', 'hash-1', at(nowMs))).toBeNull()
      })

      test('of 50 claims at once one wins', async () => {
        const claims = await Promise.all(Array.from({ length: 50 }, () => claim()))
        expect(claims.filter((outcome) => outcome === null)).toHaveLength(1)
        expect(claims.filter(isRefusal)).toHaveLength(49)
      })

      test('a released key is new again, an answered one is not released', async () => {
        await claim()
        await catalog.releaseIdempotencyKey(tenant, 'k')
        expect(await claim('hash-2')).toBeNull()
        await catalog.saveIdempotentAnswer(tenant, 'k', { status: 201, body: '{}' })
        await catalog.releaseIdempotencyKey(tenant, 'k')
        expect(await claim('hash-2')).toMatchObject({ status: 201 })
      })

      test('is forgotten after 24 hours, and a claim that died is free after a minute', async () => {
        await claim()
        nowMs += 59_999
        expect(await claim()).toMatchObject({ code: 'idempotency_key_in_use' })
        nowMs += 1
        expect(await claim()).toBeNull()
        await catalog.saveIdempotentAnswer(tenant, 'k', { status: 201, body: '{}' })
        nowMs += 86_400_000 - 1
        expect(await claim('hash-2')).toMatchObject({ code: 'idempotency_key_reused' })
        nowMs += 1
        expect(await claim('hash-2')).toBeNull()
      })
    })
  })
}

const START = Date.UTC(2026, 0, 31, 12, 0, 0, 123)
const at = (ms: number) => ms as InstantMs
const TOKENS = 'tokens' as MeterKey
const TOKENS_METER: MeterDefinition = {
  eventType: 'llm.request',
  aggregation: 'sum',
  value: ['input', 'output'],
  dimensions: { model: 'model', region: 'region' },
}
const TOKENS_FEATURE: Feature = {
  key: 'tokens' as FeatureKey,
  name: 'Tokens',
  type: 'metered',
  meter: TOKENS,
  filter: { model: ['large', 'small'] },
  unit: 'token',
}
const PRODUCT = { key: 'ai' as ProductKey, name: 'AI', description: null }
const PRO: Omit<PlanVersion, 'version'> = {
  plan: 'pro' as PlanKey,
  product: PRODUCT.key,
  name: 'Pro',
  currency: 'EUR',
  interval: 'month',
  baseFee: '20',
  charges: [
    { key: 'eu', feature: TOKENS_FEATURE.key, filter: { region: ['eu'] }, price: { model: 'flat', unitAmount: '2.5', per: '1000' } },
  ],
  entitlements: [
    { feature: TOKENS_FEATURE.key, limit: '1000', limitType: 'soft', reset: 'month', anchor: 'subscription', rollover: null, value: null },
  ],
}

type Paged<Value> = (page: { limit: number; cursor?: string }) => Promise<{ data: readonly Value[]; nextCursor: string | null }>

async function everyPage<Value extends { readonly key: string } | { readonly id: string }>(
  read: Paged<Value>,
  limit: number,
): Promise<string[]> {
  const names: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Awaited<ReturnType<Paged<Value>>> = await read(cursor === '' ? { limit } : { limit, cursor })
    expect(page.data.length).toBeLessThanOrEqual(limit)
    names.push(...page.data.map((value) => ('key' in value ? value.key : value.id)))
    cursor = page.nextCursor
  }
  return names
}

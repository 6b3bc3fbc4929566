import { beforeEach, describe, expect, test } from 'vitest'
import type { MeterKey, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture, TOKENS, TOKENS_METER } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, reopen, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('meters', () => {
    let tenant: TenantKey
    const heard = heardOf('meters')
    const { putMeter, putFeature, withPlan } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a put is created, same or changed, and only a change makes a new revision', async () => {
      const created = await putMeter(TOKENS)
      expect(created).toEqual({ result: 'created', value: { tenant, key: TOKENS, revision: expect.any(Number), ...TOKENS_METER, ...MADE } })
      expect(await putMeter(TOKENS, { dimensions: { region: 'region', model: 'model' } })).toEqual({ ...created, result: 'same' })
      const changed = await putMeter(TOKENS, { aggregation: 'max' })
      expect(changed).toMatchObject({ result: 'changed', value: { aggregation: 'max' } })
      expect(changed.value.revision).toBeGreaterThan(created.value.revision)
      expect(await stores.meters.get(tenant, TOKENS)).toEqual(changed.value)
      expect(heard.map(({ topic, key }) => `${topic} ${key}`)).toEqual(['meters tokens', 'meters tokens'])
    })

    test('what a meter reads, selects and allows comes back as it was put, and a change of it is one', async () => {
      const where = { status: { in: ['ok', 2] }, error: { exists: false } }
      const rules = { where, onInexact: 'refuse', allowNegative: true, seriesMax: 7 } as const
      const value = ['a["b.c"] - coalesce(d, 0)']
      const ruled = await putMeter(TOKENS, { ...rules, value })
      expect(ruled.value).toEqual({ tenant, key: TOKENS, revision: expect.any(Number), ...TOKENS_METER, ...MADE, ...rules, value })
      expect(await stores.meters.get(tenant, TOKENS)).toEqual(ruled.value)
      expect(await putMeter(TOKENS, { ...rules, value })).toEqual({ ...ruled, result: 'same' })
      expect(await putMeter(TOKENS, { value })).toMatchObject({ result: 'changed' })
    })

    test('a revision never comes back, over deletion and restart', async () => {
      const first = await putMeter(TOKENS)
      expect({ ...(await stores.meters.delete(tenant, TOKENS)), ...MADE }).toEqual(first.value)
      expect(await stores.meters.delete(tenant, TOKENS)).toBeNull()
      await reopen()
      const second = await putMeter(TOKENS)
      expect(second).toMatchObject({ result: 'created' })
      expect(second.value.revision).toBeGreaterThan(first.value.revision)
    })

    test('puts of many meters at once have each a revision of its own', async () => {
      const keys = Array.from({ length: 20 }, (_, n) => `m${n}` as MeterKey)
      const put = await Promise.all(keys.map((key) => putMeter(key)))
      expect(new Set(put.map(({ value }) => value.revision)).size).toBe(20)
      const revisionOf = new Map((await stores.meters.all()).map((meter) => [`${meter.tenant} ${meter.key}`, meter.revision]))
      for (const { value } of put) expect(revisionOf.get(`${tenant} ${value.key}`)).toBe(value.revision)
    })

    test('meters get reserved revisions all together, or none when one has changed', async () => {
      const meters = [(await putMeter(TOKENS)).value, (await putMeter('calls' as MeterKey)).value]
      const revisions = await stores.meters.reserveRevisions(2)
      expect(Math.min(...revisions)).toBeGreaterThan(Math.max(...meters.map(({ revision }) => revision)))
      const changes = meters.map((meter, at) => ({ meter, revision: revisions[at] ?? 0 }))
      heard.length = 0
      expect(await stores.meters.revise(changes)).toBe(true)
      expect(await stores.meters.get(tenant, TOKENS)).toEqual({ ...meters[0], revision: revisions[0] })
      expect(heard.map(({ topic, key }) => `${topic} ${key}`)).toEqual(['meters tokens', 'meters calls'])
      expect(await stores.meters.revise(changes)).toBe(false)
      const [third] = await stores.meters.reserveRevisions(1)
      const stale = { meter: changes[1]?.meter ?? meters[1], revision: (third ?? 0) + 1 }
      const current = await stores.meters.get(tenant, TOKENS)
      if (current === null || stale.meter === undefined) throw new Error('the meters were put above')
      expect(
        await stores.meters.revise([
          { meter: current, revision: third ?? 0 },
          { ...stale, meter: stale.meter },
        ]),
      ).toBe(false)
      expect(await stores.meters.get(tenant, TOKENS)).toEqual(current)
    })

    test('a meter that a feature reads stays', async () => {
      await putMeter(TOKENS)
      orThrow(await putFeature())
      expect(await stores.meters.delete(tenant, TOKENS)).toMatchObject({ code: 'meter_in_use', fields: { meter: TOKENS } })
      expect(await stores.meters.get(tenant, TOKENS)).not.toBeNull()
    })

    test('a dimension that a feature or a charge filters on stays', async () => {
      await withPlan()
      const withoutRegion = await stores.meters.put(tenant, TOKENS, { ...TOKENS_METER, dimensions: { model: 'model' } })
      expect(withoutRegion).toMatchObject({
        code: 'dimension_in_use',
        fields: { user: { plan: 'pro', charge: 'eu' }, dimension: 'region' },
      })
      const withoutModel = await stores.meters.put(tenant, TOKENS, { ...TOKENS_METER, dimensions: { region: 'region' } })
      expect(withoutModel).toMatchObject({ code: 'dimension_in_use', fields: { user: { feature: 'tokens' }, dimension: 'model' } })
      expect(await putMeter(TOKENS, { dimensions: { ...TOKENS_METER.dimensions, zone: 'zone' } })).toMatchObject({ result: 'changed' })
    })

    test('pages hold every meter once, in the order of their keys', async () => {
      const keys = ['a', 'B', 'c/d', 'c', 'é'.normalize(), 'z'].map((key) => key as MeterKey)
      for (const key of keys) await putMeter(key)
      expect(await everyPage((page) => stores.meters.list(tenant, page), 2)).toEqual(['B', 'a', 'c', 'c/d', 'z', 'é'])
      await expect(stores.meters.list(tenant, { limit: 2, cursor: 'no cursor!' })).rejects.toMatchObject({
        refusal: { code: 'invalid_cursor' },
      })
    })
  })
}

const MADE = { createdMs: START, updatedMs: START }

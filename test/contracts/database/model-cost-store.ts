import { beforeEach, describe, expect, test } from 'vitest'
import { type NewModelCost, sqlModelCostStore } from '../../../adapters/database/model-costs/model-cost-store.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ session, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('model costs', () => {
    const modelCosts = sqlModelCostStore(session)
    const heard = heardOf('model_costs')
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a change is a revision, the same terms are none, and every revision stays as it was made', async () => {
      const first = { ...COST, revision: 1, effectiveFromMs: START, createdMs: START }
      expect(await modelCosts.append(tenant, COST)).toEqual({ value: first, result: 'created' })
      time.nowMs = START + 5
      expect(await modelCosts.append(tenant, structuredClone(COST))).toEqual({ value: first, result: 'same' })
      const dearer = {
        ...COST,
        rates: [{ kinds: ['input_text_tokens' as const], amount: '2' }],
        effectiveFromMs: (START + 60_000) as InstantMs,
      }
      const second = { ...dearer, revision: 2, createdMs: START + 5 }
      expect(await modelCosts.append(tenant, dearer)).toEqual({ value: second, result: 'changed' })
      expect(await modelCosts.ofTenant(tenant)).toEqual([first, second])
      expect(await modelCosts.ofTenant('other' as TenantKey)).toEqual([])
      expect(heard).toEqual(Array(2).fill({ tenant, topic: 'model_costs', key: 'openai/gpt-x' }))
    })

    test('one that is retired may be given a cost again, with the terms that it had', async () => {
      await modelCosts.append(tenant, COST)
      expect(await modelCosts.append(tenant, { ...COST, isRetired: true })).toMatchObject({ value: { revision: 2, isRetired: true } })
      expect(await modelCosts.append(tenant, COST)).toMatchObject({ value: { revision: 3, isRetired: false }, result: 'changed' })
    })

    test('an alias is of one model, and a table has one currency', async () => {
      await modelCosts.append(tenant, COST)
      const other = { ...COST, model: 'gpt-y' }
      expect(await modelCosts.append(tenant, other)).toMatchObject({ kind: 'refusal', code: 'alias_taken' })
      expect(await modelCosts.append(tenant, { ...other, aliases: ['gpt-x'] })).toMatchObject({ code: 'alias_taken' })
      expect(await modelCosts.append(tenant, { ...other, provider: 'azure.ai.openai' })).toMatchObject({ result: 'created' })
      expect(await modelCosts.append(tenant, { ...other, aliases: [], currency: 'EUR' })).toMatchObject({ code: 'other_cost_currency' })
    })

    test('two at once make two revisions', async () => {
      const costs = ['1', '2'].map((amount) => ({ ...COST, rates: [{ kinds: ['input_text_tokens' as const], amount }] }))
      await Promise.all(costs.map((cost) => modelCosts.append(tenant, cost)))
      expect((await modelCosts.ofTenant(tenant)).map(({ revision }) => revision)).toEqual([1, 2])
    })
  })
}

const COST: NewModelCost = {
  ...{ provider: 'openai', model: 'gpt-x', aliases: ['gpt-x-*'], factors: [], free: [], ignore: [], isRetired: false },
  ...{ rates: [{ kinds: ['input_text_tokens'], amount: '1.25' }], effectiveFromMs: null, currency: 'USD', reason: null },
}

import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

const ACME = 'acme' as CustomerKey
const at = (ms: number) => (START + ms) as InstantMs

export function describeStore({ stores: { customerTokens, customers }, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('customer tokens', () => {
    let tenant: TenantKey
    const heard = heardOf('endedTokens')
    beforeEach(async () => {
      tenant = freshTenant()
      await customers.put(tenant, { key: ACME, name: null, email: null, subjects: [], metadata: {} } as never)
    })

    test('signing keys come newest first, and those whose tokens have expired are dropped', async () => {
      const key = (ms: number) => ({ id: randomUUID(), createdAtMs: at(ms), privateKey: { kty: 'OKP', d: randomUUID() } })
      const [first, second] = [key(1), key(2)]
      await customerTokens.addSigningKey(first, at(0))
      await customerTokens.addSigningKey(second, at(1))
      expect(await customerTokens.signingKeys()).toEqual([second, first])
      const third = key(3)
      await customerTokens.addSigningKey(third, at(2))
      expect(await customerTokens.signingKeys()).toEqual([third, second])
      await customerTokens.addSigningKey(key(4), at(4))
    })

    test('the end of the tokens of a customer only moves on, and others hear of it', async () => {
      expect(await customerTokens.endAll(tenant, ACME, at(10))).toBe(at(10))
      expect(await customerTokens.endAll(tenant, ACME, at(5))).toBe(at(10))
      expect(heard.at(-1)).toEqual({ tenant, topic: 'endedTokens', key: ACME })
      expect(await customerTokens.endedAfter(at(9))).toContainEqual({ tenant, customer: ACME, notBeforeMs: at(10) })
      expect(await customerTokens.endedAfter(at(10))).not.toContainEqual(expect.objectContaining({ tenant }))
    })

    test('a customer that is not there has no tokens to end', async () => {
      const outcome = await customerTokens.endAll(tenant, 'nobody' as CustomerKey, at(0))
      expect(isRefusal(outcome) && outcome.code).toBe('unknown_customer')
    })
  })
}

import { beforeEach, describe, expect, test } from 'vitest'
import type { DatabaseTransaction } from '../../../adapters/database/database-session.ts'
import { inTransaction } from '../../../adapters/database/in-transaction.ts'
import type { CustomerKey, ProductKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import { databaseStores } from '../../../runtime/database-stores.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'
import { catalogFixture, PRODUCT, TOKENS, TOKENS_METER } from './catalog-fixture.ts'

export function describeStore({ session, stores, database, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('sessions', () => {
    let tenant: TenantKey
    const heard = heardOf('products', 'customers')
    const { putMeter, putCustomer } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })
    const bare = (key: string, subjects: readonly string[] = []) => ({
      ...{ key: key as CustomerKey, name: null, email: null, subjects, metadata: {} },
    })
    /** Writes of two stores in one transaction. */
    const putBoth = async (trx: DatabaseTransaction, product = PRODUCT) => {
      const within = databaseStores(trx)
      await within.products.put(tenant, product)
      return await within.customers.put(tenant, bare('acme', ['seat']))
    }
    const isThere = async () => [await stores.products.get(tenant, PRODUCT.key), await stores.customers.get(tenant, 'acme' as CustomerKey)]

    test('migrating again changes nothing', async () => {
      await putMeter(TOKENS)
      await database().migrate()
      expect(await stores.meters.get(tenant, TOKENS)).toMatchObject(TOKENS_METER)
      await database().ping()
    })

    test('what several stores write in one transaction is seen within it, and heard by others once it is committed', async () => {
      await session.write(async (trx) => {
        await putBoth(trx)
        expect(await databaseStores(trx).customers.get(tenant, 'acme' as CustomerKey)).toMatchObject({ subjects: ['seat'] })
        expect(heard).toEqual([])
      })
      expect(await isThere()).toMatchObject([PRODUCT, { key: 'acme' }])
      expect(heard).toEqual([
        { tenant, topic: 'products', key: 'ai' },
        { tenant, topic: 'customers', key: 'acme' },
      ])
    })

    test('a stage that sees no session has several stores write together, or not at all', async () => {
      const together = inTransaction(session, databaseStores)
      const putUnder = (subject: string) =>
        together(async ({ products, customers }) => {
          await products.put(tenant, { ...PRODUCT, name: subject })
          return await customers.put(tenant, bare('acme', [subject]))
        })
      await putCustomer('globex', { subjects: ['seat'] })
      expect(await putUnder('seat')).toMatchObject({ code: 'subject_taken' })
      expect(await isThere()).toEqual([null, null])
      expect(await putUnder('desk')).toMatchObject({ result: 'created' })
      expect(await isThere()).toMatchObject([{ name: 'desk' }, { subjects: ['desk'] }])
    })

    test.each([
      { end: 'a refusal', work: async (): Promise<Outcome<null>> => refuse('unknown_meter', { meter: 'm' }) },
      { end: 'an error', work: () => Promise.reject(new Error('a bug')) },
    ])('$end at the end takes everything back, and nothing is heard', async ({ work }) => {
      const write = session.write(async (trx) => {
        await putBoth(trx)
        return await work()
      })
      await write.then(
        (outcome) => expect(outcome).toMatchObject({ code: 'unknown_meter' }),
        (error: Error) => expect(error.message).toBe('a bug'),
      )
      expect(await isThere()).toEqual([null, null])
      expect(heard).toEqual([])
    })

    test('a store on the session is an error within a transaction, as it would wait for its end; afterwards it works', async () => {
      let later = Promise.resolve<unknown>(null)
      let ended = () => {}
      const end = new Promise<void>((resolve) => {
        ended = resolve
      })
      const misuse = session.write(async (trx) => {
        later = end.then(() => stores.customers.get(tenant, 'acme' as CustomerKey))
        await putBoth(trx)
        await stores.customers.get(tenant, 'acme' as CustomerKey)
      })
      await expect(misuse).rejects.toThrow(/inside a transaction/)
      ended()
      expect(await later).toBeNull()
    })

    test('a refusal of one store takes back what that one wrote, and the caller goes on', async () => {
      await putCustomer('globex', { subjects: ['seat'] })
      heard.length = 0
      const refused = await session.write(async (trx) => {
        const within = databaseStores(trx)
        const outer = await trx.write(async (joined) => {
          await databaseStores(joined).customers.put(tenant, bare('initech'))
          return await putBoth(joined, { ...PRODUCT, key: 'lost' as ProductKey })
        })
        await within.products.put(tenant, PRODUCT)
        return { outer }
      })
      expect(refused.outer).toMatchObject({ code: 'subject_taken' })
      expect(await stores.customers.get(tenant, 'initech' as CustomerKey)).toBeNull()
      expect(await stores.products.list(tenant, { limit: 10 })).toMatchObject({ data: [PRODUCT] })
      expect(heard).toEqual([{ tenant, topic: 'products', key: 'ai' }])
    })
  })
}

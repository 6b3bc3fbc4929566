import { expect, test } from 'vitest'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import { customerHash } from '../../domain/metering/partitioning.ts'
import { INGEST_BOUNDS } from '../ingest-bounds.ts'
import { createFamiliarCustomers } from './familiar-customers.ts'

test('look-ups of a tenant are bounded; beyond it customers stay unfamiliar, and another tenant goes on', async () => {
  const asked: TenantKey[] = []
  const ends: (() => void)[] = []
  const familiar = createFamiliarCustomers((tenant) => {
    asked.push(tenant)
    return new Promise((resolve) => ends.push(() => resolve({ existing: new Set(), similar: new Map() })))
  })
  const meet = (tenant: string, customer: string) => familiar.meet(tenant as TenantKey, [customer as CustomerKey])
  const isFamiliar = (tenant: string, customer: string) => familiar.isFamiliar(customerHash(tenant as TenantKey, customer as CustomerKey))
  const { most } = INGEST_BOUNDS.similarLookUps
  const met = Array.from({ length: most + 3 }, (_, n) => meet('hog', `c-${n}`))
  expect(asked).toHaveLength(most)
  // What this process itself has met is still compared.
  expect(await meet('hog', 'C-0')).toEqual(new Map([['C-0', 'c-0']]))
  const other = meet('other', 'c')
  expect(asked).toHaveLength(most + 1)
  for (const end of ends.splice(0)) end()
  await Promise.all([...met, other])
  expect([isFamiliar('hog', 'c-0'), isFamiliar('hog', `c-${most}`), isFamiliar('other', 'c')]).toEqual([true, false, true])
  const again = meet('hog', `c-${most}`)
  expect(asked).toHaveLength(most + 2)
  for (const end of ends) end()
  await again
  expect(isFamiliar('hog', `c-${most}`)).toBe(true)
})

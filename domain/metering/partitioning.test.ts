import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CustomerKey, TenantKey } from '../identity.ts'
import { murmur3Of, partitionOf } from './partitioning.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const partition = (tenant: string, customer: string, partitions: number) =>
  partitionOf(tenant as TenantKey, customer as CustomerKey, partitions)

describe('partitionOf', () => {
  // Published vectors of MurmurHash3_x86_32, seed 0.
  test.each([
    { text: '', hash: 0 },
    { text: 'test', hash: 0xba6bd213 },
    { text: 'hello', hash: 0x248bfa47 },
    { text: 'Hello, world!', hash: 0xc0363e43 },
    { text: 'The quick brown fox jumps over the lazy dog', hash: 0x2e4ff723 },
  ])('hashes $text as everyone does', ({ text, hash }) => {
    expect(murmur3Of(bytesOf(text))).toBe(hash)
  })

  // A change of any of these would lose the order of every customer in every existing log.
  test.each([
    { tenant: 'default', customer: 'cust-1', of8: 6, of64: 62 },
    { tenant: 'default', customer: 'cust-2', of8: 3, of64: 27 },
    { tenant: 'default', customer: 'acme', of8: 0, of64: 8 },
    { tenant: 'acme', customer: 'default', of8: 4, of64: 44 },
    { tenant: 'default', customer: 'Zoë/東京', of8: 6, of64: 6 },
  ])('$tenant $customer stays where it is', ({ tenant, customer, of8, of64 }) => {
    expect([partition(tenant, customer, 8), partition(tenant, customer, 64)]).toEqual([of8, of64])
  })

  test('is the hash of the UTF-8 bytes, ASCII or not', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.oneof(fc.string(), fc.string({ unit: 'binary' })),
        fc.integer({ min: 1, max: 512 }),
        (tenant, customer, partitions) => {
          expect(partition(tenant, customer, partitions)).toBe(murmur3Of(bytesOf(`${tenant}\0${customer}`)) % partitions)
        },
      ),
    )
  })

  test('spreads customers evenly', () => {
    const counts = new Array<number>(8).fill(0)
    for (let n = 0; n < 8000; n++) {
      const at = partition('default', `customer-${n}`, 8)
      counts[at] = (counts[at] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(Math.max(...counts)).toBeLessThan(1150)
  })
})

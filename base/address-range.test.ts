import { expect, test } from 'vitest'
import { addressMatcher, isAddressRange } from './address-range.ts'

test.each(['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', '2001:db8::/32', '::ffff:10.0.0.0/104'])('%s is a range', (text) => {
  expect(isAddressRange(text)).toBe(true)
})

test.each(['', '10.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', '::/129', 'localhost', '10.0.0.0 /8', '10.0.0.0/1e1'])(
  '%j is none',
  (text) => {
    expect(isAddressRange(text)).toBe(false)
  },
)

test.each([
  { ranges: ['10.0.0.0/8'], inside: ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], outside: ['11.0.0.0', '9.255.255.255', '::a00:1'] },
  { ranges: ['192.0.2.7'], inside: ['192.0.2.7'], outside: ['192.0.2.6', '192.0.2.8'] },
  { ranges: ['2001:db8::/32', '::1'], inside: ['2001:db8:ffff::1', '::1'], outside: ['2001:db9::', '127.0.0.1', '::2'] },
  { ranges: ['0.0.0.0/0'], inside: ['8.8.8.8'], outside: ['2001:db8::1', '', 'unknown'] },
])('of $ranges', ({ ranges, inside, outside }) => {
  const matches = addressMatcher(ranges)
  expect(inside.filter((address) => !matches(address))).toEqual([])
  expect(outside.filter(matches)).toEqual([])
})

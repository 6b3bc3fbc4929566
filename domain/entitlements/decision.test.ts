import { expect, test } from 'vitest'
import { allowanceOf, decide } from './decision.ts'
import type { MeteredEntitlement } from './entitlements.ts'

const metered = (limit: bigint | null, limitType: 'hard' | 'soft') => ({ type: 'metered', limit, limitType }) as MeteredEntitlement

test.each([
  { limitType: 'hard', limit: 10n, used: 9n, held: 0n, quantity: 1n, allowed: true, code: 'within_limit' },
  { limitType: 'hard', limit: 10n, used: 9n, held: 0n, quantity: 2n, allowed: false, code: 'hard_limit_reached' },
  { limitType: 'hard', limit: 10n, used: 4n, held: 5n, quantity: 1n, allowed: true, code: 'within_limit' },
  { limitType: 'hard', limit: 10n, used: 4n, held: 6n, quantity: 1n, allowed: false, code: 'hard_limit_reached' },
  { limitType: 'hard', limit: 10n, used: 10n, held: 0n, quantity: 0n, allowed: true, code: 'within_limit' },
  { limitType: 'hard', limit: 10n, used: 11n, held: 0n, quantity: 0n, allowed: false, code: 'hard_limit_reached' },
  { limitType: 'hard', limit: 0n, used: 0n, held: 0n, quantity: 1n, allowed: false, code: 'hard_limit_reached' },
  { limitType: 'hard', limit: 10n, used: -5n, held: 0n, quantity: 15n, allowed: true, code: 'within_limit' },
  { limitType: 'soft', limit: 10n, used: 9n, held: 0n, quantity: 1n, allowed: true, code: 'within_limit' },
  { limitType: 'soft', limit: 10n, used: 9n, held: 1n, quantity: 1n, allowed: true, code: 'over_soft_limit' },
  { limitType: 'soft', limit: null, used: 10n ** 30n, held: 0n, quantity: 1n, allowed: true, code: 'unlimited' },
  { limitType: 'hard', limit: null, used: 10n ** 30n, held: 0n, quantity: 1n, allowed: true, code: 'unlimited' },
] as const)('$limitType limit $limit, used $used, held $held: $quantity is $code', (row) => {
  const decision = decide(metered(row.limit, row.limitType), { usedUnits: row.used, heldUnits: row.held }, row.quantity)
  expect(decision).toEqual({ allowed: row.allowed, code: row.code })
})

test.each([
  { entitlement: undefined, allowed: false, code: 'no_entitlement' },
  { entitlement: { type: 'boolean', isOn: true }, allowed: true, code: 'feature_on' },
  { entitlement: { type: 'boolean', isOn: false }, allowed: false, code: 'feature_off' },
  { entitlement: { type: 'config', value: null }, allowed: true, code: 'feature_on' },
])('not metered: $code', ({ entitlement, allowed, code }) => {
  expect(decide(entitlement as never, { usedUnits: 0n, heldUnits: 0n }, 5n)).toEqual({ allowed, code })
})

test.each([
  { limitType: 'hard', limit: 10n, used: 4n, held: 5n, remaining: 1n, overage: 0n, hasAccess: true },
  { limitType: 'hard', limit: 10n, used: 4n, held: 6n, remaining: 0n, overage: 0n, hasAccess: false },
  { limitType: 'hard', limit: 10n, used: 13n, held: 0n, remaining: 0n, overage: 3n, hasAccess: false },
  { limitType: 'soft', limit: 10n, used: 13n, held: 1n, remaining: 0n, overage: 3n, hasAccess: true },
  { limitType: 'soft', limit: 10n, used: 8n, held: 9n, remaining: 0n, overage: 0n, hasAccess: true },
  { limitType: 'hard', limit: null, used: 13n, held: 0n, remaining: null, overage: 0n, hasAccess: true },
  { limitType: 'hard', limit: 10n, used: -2n, held: 0n, remaining: 12n, overage: 0n, hasAccess: true },
] as const)('$limitType limit $limit, used $used, held $held leaves $remaining', (row) => {
  const { remaining, overage, hasAccess } = row
  const allowance = allowanceOf(metered(row.limit, row.limitType), { usedUnits: row.used, heldUnits: row.held })
  expect(allowance).toMatchObject({ remaining, overage, hasAccess })
})

import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { type BudgetAccount, createSharedBudget, type SharedBudget } from './shared-budget.ts'

type Level = 'tenant' | 'key' | 'connection'
const MAX = 12_000

let budget: SharedBudget<Level>
beforeEach(() => {
  budget = createSharedBudget({ unitsMax: MAX, levels: ['tenant', 'key', 'connection'], waitersMax: 12, clock: systemClock })
})
const open = (tenant: string, key = `${tenant}-key`, connection = `${key}-1`) => budget.open({ tenant, key, connection })
/** Takes one unit after the other, until it is refused. */
function takeAll(...accounts: BudgetAccount<Level>[]): number {
  let taken = 0
  for (let hasTaken = true; hasTaken; ) {
    hasTaken = false
    for (const account of accounts) {
      if (account.tryTake(1) !== undefined) continue
      taken++
      hasTaken = true
    }
  }
  return taken
}

test.each([
  { name: 'one connection', accounts: () => [open('a')], share: MAX / 4, per: 'connection' },
  { name: 'one key of many connections', accounts: () => connectionsOf('k', 50), share: MAX / 3, per: 'key' },
  {
    name: 'one tenant of many keys',
    accounts: () => Array.from({ length: 50 }, (_, n) => open('a', `k${n}`)),
    share: MAX / 2,
    per: 'tenant',
  },
  { name: 'many tenants', accounts: () => Array.from({ length: 50 }, (_, n) => open(`t${n}`)), share: MAX, per: 'server' },
])('$name gets its share and leaves the rest', ({ accounts, share, per }) => {
  const all = accounts()
  const taken = takeAll(...all)
  expect(taken).toBeLessThanOrEqual(share)
  expect(taken).toBeGreaterThan(share * 0.9)
  expect(all[0]?.tryTake(1)).toMatchObject({ per: per })
  expect(open('stranger').tryTake(10)).toBeUndefined()
})
function connectionsOf(key: string, count: number) {
  return Array.from({ length: count }, (_, n) => open('a', key, `${key}-${n}`))
}

test('a shortage says how much its holder may hold as things are', () => {
  const hog = open('a')
  takeAll(hog)
  expect(hog.tryTake(1)).toEqual({ per: 'connection', held: 3_000, limit: 3_000 })
  expect(open('b').tryTake(MAX)).toEqual({ per: 'server', held: 3_000, limit: 5_250 })
})

test('whatever is taken and given by whomever, the bound holds and all comes back', () => {
  const step = fc.record({ who: fc.nat({ max: 11 }), units: fc.integer({ min: 1, max: 5_000 }), isGiven: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const accounts = Array.from({ length: 12 }, (_, n) => open(`t${n % 2}`, `k${n % 4}`, `c${n}`))
      const held = accounts.map(() => 0)
      for (const { who, units, isGiven } of steps) {
        const account = accounts[who] as BudgetAccount<Level>
        if (isGiven) {
          account.give(held[who] as number)
          held[who] = 0
        } else if (account.tryTake(units) === undefined) held[who] = (held[who] as number) + units
        const sum = held.reduce((all, each) => all + each, 0)
        expect(budget.held()).toBe(sum)
        expect(sum).toBeLessThanOrEqual(MAX)
      }
      for (const account of accounts) account.close()
      expect(budget.held()).toBe(0)
    }),
  )
})

test('who waits for its own share keeps nobody behind it waiting', async () => {
  const hog = open('a')
  takeAll(hog)
  const more = hog.take(100, 60_000)
  expect(await open('b').take(100, 60_000)).toBeUndefined()
  hog.give(600)
  expect(await more).toBeUndefined()
  hog.close()
})

test('waits are bounded in time and number', async () => {
  const hog = open('a')
  takeAll(hog)
  const waits = Array.from({ length: 3 }, () => hog.take(1, 20))
  expect(await hog.take(1, 60_000)).toMatchObject({ per: 'connection' })
  expect(await Promise.all(waits)).toEqual(Array(3).fill({ per: 'connection', held: 3_000, limit: 3_000 }))
  hog.give(1)
  expect(budget.held()).toBe(2_999)
})

test('a request larger than the whole budget is granted when nobody holds anything', () => {
  const account = open('a')
  expect(account.tryTake(MAX * 2)).toBeUndefined()
  expect(open('b').tryTake(1)).toMatchObject({ per: 'server' })
  account.close()
  expect(budget.held()).toBe(0)
})

import { describe, expect, test } from 'vitest'
import { formOf, queryForm } from './forms.ts'
import { listJson } from './lists.ts'

describe('forms', () => {
  test.each([
    ['payload[value]=25&payload[a]=', { payload: { value: '25', a: '' } }],
    ['items[0][price]=p1&items[1][price]=p2&items[1][quantity]=2', { items: [{ price: 'p1' }, { price: 'p2', quantity: '2' }] }],
    ['expand[]=a&expand[]=b', { expand: ['a', 'b'] }],
    ['tiers[0][up_to]=100&tiers[1][up_to]=inf', { tiers: [{ up_to: '100' }, { up_to: 'inf' }] }],
    ['metadata%5Ba%20b%5D=c%26d', { metadata: { 'a b': 'c&d' } }],
    ['__proto__[polluted]=1', { ['__proto__']: { polluted: '1' } }],
    ['', {}],
  ])('%s', (text, form) => {
    expect(JSON.stringify(formOf(new URLSearchParams(text)))).toBe(JSON.stringify(form))
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('nesting and the number of fields are bounded', () => {
    expect(() => formOf(new URLSearchParams('a[b][c][d][e][f][g]=1'))).toThrow()
    expect(() => formOf(Array.from({ length: 2_001 }, (_, at) => [`f${at}`, ''] as const))).toThrow()
  })

  test('a query is read as a form is', () => {
    expect(queryForm({ customer: 'cus_1', 'expand[0]': 'tiers', 'expand[1]': 'x' })).toEqual({ customer: 'cus_1', expand: ['tiers', 'x'] })
  })
})

test('pages of any size hold every item once, and has_more is true to the letter', () => {
  const items = Array.from({ length: 7 }, (_, at) => ({ id: `i${at}` }))
  for (const limit of ['1', '2', '3', '7', '100']) {
    const seen: string[] = []
    for (let after: string | undefined; ; ) {
      const page = listJson('/v1/things', { limit, ...(after === undefined ? {} : { starting_after: after }) }, items)
      seen.push(...page.data.map(({ id }) => id))
      after = seen.at(-1)
      if (!page.has_more) break
    }
    expect(seen).toEqual(items.map(({ id }) => id))
  }
  expect(listJson('/v1/things', { limit: '2', ending_before: 'i5' }, items)).toMatchObject({
    data: [{ id: 'i3' }, { id: 'i4' }],
    has_more: true,
  })
  expect(() => listJson('/v1/things', { starting_after: 'gone' }, items)).toThrow()
})

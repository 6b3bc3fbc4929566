import { expect, test } from 'vitest'
import type { InstantMs } from '../domain/identity.ts'
import type { ModelCostRevision } from '../domain/model-calls/model-cost-entry.ts'
import { aiVectors } from '../test/support/model-calls/ai-vectors.ts'
import { createCostTable, fits } from './cost-table.ts'

type Row = Partial<ModelCostRevision> &
  Pick<ModelCostRevision, 'provider' | 'model' | 'revision'> & { effectiveFrom: string; retired?: boolean }
const tableOf = (rows: readonly Row[]) =>
  createCostTable(
    rows.map(({ effectiveFrom, retired = false, ...row }) => ({
      ...{ aliases: [], rates: [], factors: [], free: [], ignore: [], ...row },
      effectiveFromMs: Date.parse(effectiveFrom) as InstantMs,
      isRetired: retired,
    })),
  )
const at = (text: string) => Date.parse(text) as InstantMs

test.each(aiVectors('cost'))('%s', (_id, { input, expected, why }) => {
  const { table, data, at: instant } = input as unknown as { table: Row[]; data: Record<string, unknown>; at: string }
  expect(tableOf(table).cost(data, at(instant)), why).toEqual(expected)
})

const MODEL: Row = { provider: 'p', model: 'm', revision: 1, effectiveFrom: '2026-01-01T00:00:00Z' }
const NOW = at('2026-06-01T12:00:00Z')

test('an event that tells totals alone is priced as text, and the parts that it tells are taken off', () => {
  const rates: Row['rates'] = [
    { kinds: ['input_text_tokens', 'output_text_tokens'], amount: '1' },
    { kinds: ['cache_read_tokens'], amount: '0.1' },
  ]
  const call = { provider: 'p', model: 'm', input_tokens: 100, cache_read_tokens: 40, output_tokens: 7 }
  expect(tableOf([{ ...MODEL, rates }]).cost(call, NOW)).toMatchObject({ cost_micros: '71' })
})

test.each([
  ['any region', ['region']],
  ['this region', [{ region: 'us' }]],
])('a condition that is ignored (%s) changes nothing', (_what, ignore) => {
  const rates: Row['rates'] = [{ kinds: ['input_text_tokens'], amount: '1' }]
  const call = { provider: 'p', model: 'm', region: 'us', input_tokens: 5, output_tokens: 0 }
  expect(tableOf([{ ...MODEL, rates }]).cost(call, NOW)).toMatchObject({ cost_status: 'missing_condition', cost_missing: 'region=us' })
  expect(tableOf([{ ...MODEL, rates, ignore: ignore as never }]).cost(call, NOW)).toMatchObject({ cost_micros: '5' })
})

test('a sum of endless fractions is rounded once: three thirds are one', () => {
  const rates: Row['rates'] = [{ kinds: ['images', 'pages', 'sources'], amount: '0.000001', per: '3' }]
  const call = { provider: 'p', model: 'm', usage_basis: 'reported', images: 1, pages: 1, sources: 1 }
  expect(tableOf([{ ...MODEL, rates }]).cost(call, NOW)).toMatchObject({
    cost_micros: '1',
    lines: Array(3).fill({ micros: '0.333333333' }),
  })
})

test('reasoning that is priced as text takes the factors of text', () => {
  const rates: Row['rates'] = [{ kinds: ['output_text_tokens'], amount: '10' }]
  const factors: Row['factors'] = [{ when: { speed: 'fast' }, factor: '2', kinds: ['output_text_tokens'] }]
  const call = { provider: 'p', model: 'm', speed: 'fast', input_tokens: 0, output_tokens: 5, reasoning_tokens: 5 }
  expect(tableOf([{ ...MODEL, rates, factors }]).cost(call, NOW)).toMatchObject({ cost_micros: '100' })
})

test.each([
  ['gpt-x-*', 'gpt-x-1', true],
  ['gpt-x-*', 'gpt-x-', true],
  ['gpt-x-*', 'gpt-x', false],
  ['*-latest', 'a-latest', true],
  ['ab*ba', 'aba', false],
  ['exact', 'exact', true],
])('%s names %s: %s', (alias, name, is) => {
  expect(fits(alias, name)).toBe(is)
})

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { errorReference, errorReferenceMarkdown } from './error-reference.ts'
import { FAULTS } from './faults.ts'
import { refusalAnswer } from './refusal-answer.ts'
import { REFUSAL_TABLES, REFUSALS } from './refusals.ts'

const ROOT = new URL('../../', import.meta.url)
const FOLDERS = [
  'adapters',
  'aggregator',
  'alerts',
  'custody',
  'api',
  'base',
  'billing',
  'commerce',
  'domain',
  'entitlements',
  'ingest',
  'rating',
  'runtime',
  'schemas',
  'usage',
]

/** All production code except the tables themselves. */
const source = filesOf(FOLDERS)
  .map(({ text }) => text)
  .join('\n')

function filesOf(folders: readonly string[]): readonly { readonly path: string; readonly text: string }[] {
  return folders
    .flatMap((folder) => readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !/^schemas\/http\/(refusals\/|faults)/.test(path))
    .map((path) => ({ path, text: readFileSync(new URL(path, ROOT), 'utf8') }))
}

describe('the table', () => {
  test('has every code once', () => {
    const codes = REFUSAL_TABLES.flatMap(({ rows }) => Object.keys(rows))
    expect([...codes].sort()).toEqual([...new Set([...codes, ...Object.keys(REFUSALS)])].sort())
    expect(codes.filter((code) => code in FAULTS)).toEqual([])
  })

  test('has no code that nothing is refused with', () => {
    const codes = [...Object.keys(REFUSALS), ...Object.keys(FAULTS)]
    expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([])
  })

  test('has every fault', () => {
    const thrown = [...source.matchAll(/\bfault\(\s*'([a-z_]+)'/gi)].map(([, code]) => String(code))
    expect(thrown.length).toBeGreaterThan(20)
    expect([...new Set(thrown)].filter((code) => !(code in FAULTS))).toEqual([])
  })

  test('says in plain words what each means and what to do', () => {
    for (const { entries } of errorReference()) {
      for (const { code, means, next } of entries) {
        expect(code).toMatch(/^[a-z]+(_[a-z0-9]+)*$/)
        expect([means, next], code).toEqual([expect.stringMatching(/^[A-Z`].*\.$/), expect.stringMatching(/^[A-Z`].*\.$/)])
      }
    }
  })

  test('is the page of the errors', async () => {
    // After a change of the table: npx vitest run schemas/http/refusals.test.ts -u
    await expect(errorReferenceMarkdown()).toMatchFileSnapshot('../../docs/errors.md')
  })
})

test('rules, SQL and the shared core know no HTTP: neither a status nor a route', () => {
  const core = filesOf(['adapters', 'domain', 'entitlements', 'rating', 'usage'])
  expect(core.length).toBeGreaterThan(100)
  expect(core.filter(({ text }) => /\/v1\/|\bstatus: [45]\d\d\b/.test(text)).map(({ path }) => path)).toEqual([])
})

test('the compiler refuses a refusal without its fields, a code without a row and a code that is only explained field by field', () => {
  // @ts-expect-error: the product is missing
  refuse('unknown_product', {})
  // @ts-expect-error: there is no such code
  refuse('unknown_planet', {})
  // @ts-expect-error: wrong prices are explained by their fields
  refuse('invalid_price', {})
  // @ts-expect-error: a limit is a number of units, not text
  refuse('too_many_rows', { rowsMax: '5' })
})

describe('a refusal is answered', () => {
  const unknown = refuse('unknown_product', { product: 'a/b' })
  const detail = 'There is no product a/b; create it with PUT /v1/products/a%2Fb.'

  test.each([
    { name: 'as 404 where the key was asked for', refusal: unknown, answer: { code: 'unknown_product', status: 404, detail } },
    {
      name: 'as 400 where the key is a field of the body',
      refusal: refuseField('product', unknown),
      answer: { code: 'unknown_product', status: 400, detail, errors: [{ field: 'product', code: 'unknown_product', detail }] },
    },
    {
      name: 'as 409 where a field clashes with what is there',
      refusal: refuseField('key', refuse('subject_taken', { name: 'a', subjectOf: 'acme' })),
      answer: { code: 'subject_taken', status: 409 },
    },
    {
      name: 'as 400 where a field is wrong in itself, whatever its code is elsewhere',
      refusal: refuseFields('feature_not_metered', [{ field: 'f', code: 'feature_not_metered', detail: 'f must be metered, was sso' }]),
      answer: { code: 'feature_not_metered', status: 400, detail: 'f must be metered, was sso.' },
    },
    {
      name: 'with the first of several fields, and how many more',
      refusal: refuseFields('invalid_price', [
        { field: 'price.per', code: 'not_positive', detail: 'price.per must be positive, was "0"' },
        { field: 'price.tiers', code: 'missing', detail: 'price.tiers is missing' },
      ]),
      answer: { status: 400, detail: 'The price cannot be used: price.per must be positive, was "0" (and 1 more, see errors).' },
    },
    {
      name: 'with when to try again',
      refusal: refuse('meter_backfilling', { meter: 'tokens' }),
      answer: { status: 409, retryAfterSeconds: 2 },
    },
    {
      name: 'never as 503 when a part was kept',
      refusal: { ...refuse('overloaded', { bound: 'bytes', per: 'key', held: 1, limit: 1 }), kept: { kept: 3, events: 4 } },
      answer: { code: 'overloaded', status: 500, detail: expect.stringContaining('3 of the 4 events read before that') },
    },
  ])('$name', ({ refusal, answer }) => {
    expect(refusalAnswer(refusal)).toMatchObject(answer)
  })
})

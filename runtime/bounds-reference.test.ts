import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FAULTS } from '../schemas/http/faults.ts'
import { REFUSALS } from '../schemas/http/refusals.ts'
import { BOUND_TABLES, BOUNDS_MARK, boundsMarkdown } from './bounds-reference.ts'

const ROOT = new URL('../', import.meta.url)
const rows = BOUND_TABLES.flatMap(({ bounds }) => Object.entries(bounds).map(([name, bound]) => ({ name, ...bound })))

test('docs/limits.md lists every bound as the code has it', async () => {
  const [explained] = textOf('docs/limits.md').split(BOUNDS_MARK)
  await expect(`${explained}${BOUNDS_MARK}\n${boundsMarkdown()}`).toMatchFileSnapshot('../docs/limits.md')
})

test('every table of bounds is in the list', () => {
  const tables = sources().flatMap(({ text }) => [...text.matchAll(/export const (\w+_BOUNDS) = \{\n/g)].map(([, name]) => name))
  const listed = [...textOf('runtime/bounds-reference.ts').matchAll(/bounds: (\w+_BOUNDS) /g)].map(([, name]) => name)
  expect([...listed].sort()).toEqual([...tables].sort())
})

describe('every bound', () => {
  test.each(rows)('$what: a test reaches it', ({ code, test: reachedIn }) => {
    const [file = '', title = ''] = reachedIn.split(' > ')
    expect(existsSync(new URL(file, ROOT)), `${file} is there`).toBe(true)
    const text = textOf(file)
    expect(text, `${file} has a test of this title`).toContain(title)
    if (code !== null) expect(text, `${file} expects the code`).toContain(code)
  })

  test('is refused with a code that callers can look up', () => {
    const known = new Set([...Object.keys(REFUSALS), ...Object.keys(FAULTS)])
    expect(rows.flatMap(({ code }) => code ?? []).filter((code) => !known.has(code))).toEqual([])
  })

  test('is the figure that the code goes by', () => {
    const text = sources()
      .map((source) => source.text)
      .join('\n')
    const unread = BOUND_TABLES.flatMap(({ bounds }) => Object.keys(bounds)).filter((name) => !text.includes(`_BOUNDS.${name}.most`))
    expect(unread).toEqual([])
  })
})

function textOf(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

const ROOMS = [
  'adapters',
  'aggregator',
  'alerts',
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

function sources(): readonly { readonly path: string; readonly text: string }[] {
  return ROOMS.flatMap((room) =>
    readdirSync(new URL(`${room}/`, ROOT), { recursive: true, encoding: 'utf8' }).map((path) => `${room}/${path}`),
  )
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => ({ path, text: textOf(path) }))
}

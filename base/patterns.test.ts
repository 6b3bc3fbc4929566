import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { parseSync } from '@swc/core'
import { isSafe } from 'redos-detector'
import { expect, test } from 'vitest'

/**
 * A pattern that backtracks takes more time than its input is long: 15,500 blanks in a header once took 700 ms. So every pattern
 * of the server and the SDK is linear. This includes patterns over our own text, as a pattern does not show whose text it gets.
 */
const ROOT = new URL('../', import.meta.url).pathname
const SOURCES =
  '{base,domain,schemas,adapters,ingest,aggregator,usage,entitlements,rating,billing,alerts,commerce,custody,api,compat,runtime,sdk}/**/*.ts'
const BACKTRACKS_MAX = 200

/** Patterns over our own text, or over text that is bounded before. */
const EXEMPT: Readonly<Record<string, string>> = {
  'adapters/database/engine/migrate-database.ts': 'our own migrations',
  'adapters/usage-store/engine/cluster-statements.ts': 'our own migrations',
  'adapters/usage-store/engine/clickhouse-executor.ts': 'our own statements; values are bound',
  'runtime/import/event-mapping.ts': 'the command line of who runs the import, and cells of 64 KiB at most',
  'domain/decimal.ts': 'the digits of a number that was bounded before',
  'domain/model-calls/told-values.ts': 'the digits of a number of which 60 are read',
  'runtime/open-selling.ts': 'a setting',
  'commerce/pages/language.ts': 'our own texts',
  'domain/metering/json-defect.ts': 'linear: a run of backslashes is entered at its first one only, which the search does not see',
}

type Pattern = { readonly file: string; readonly source: string; readonly flags: string }

const patterns: Pattern[] = []
const built: string[] = []
for await (const file of glob(SOURCES, { cwd: ROOT })) {
  if (file.endsWith('.test.ts')) continue
  collect(parseSync(readFileSync(`${ROOT}${file}`, 'utf8'), { syntax: 'typescript' }), file)
}

test('there are patterns to look at', () => expect(patterns.length).toBeGreaterThan(40))

test.each(patterns.filter(({ file, source }) => repeats(source) && EXEMPT[file] === undefined))(
  '$file: /$source/ takes time in proportion to its input',
  ({ source, flags }) => {
    const judged = isSafe(new RegExp(source, flags), { maxScore: BACKTRACKS_MAX, timeout: 10_000 })
    expect(judged.safe, judged.error ?? '').toBe(true)
  },
)

/** Patterns of our own schemas, which stand there as text, on our own examples. */
const BUILT_OF_OURS = new Set(['runtime/http/documents/examples.ts'])

test('no pattern is built from text, as nobody could check it', () => expect(built.filter((file) => !BUILT_OF_OURS.has(file))).toEqual([]))

/** A pattern without an unbounded repeat costs at most its own length for each character. */
function repeats(source: string): boolean {
  const withoutText = source.replaceAll(/\\./g, '').replaceAll(/\[[^\]]*\]/g, '')
  return /[*+]|,\}/.test(withoutText)
}

function collect(node: unknown, file: string): void {
  if (Array.isArray(node)) {
    for (const each of node) collect(each, file)
    return
  }
  if (typeof node !== 'object' || node === null) return
  const { type, pattern, flags, callee } = node as { type?: string; pattern?: string; flags?: string; callee?: { value?: string } }
  if (type === 'RegExpLiteral' && pattern !== undefined) patterns.push({ file, source: pattern, flags: flags ?? '' })
  if ((type === 'NewExpression' || type === 'CallExpression') && callee?.value === 'RegExp') built.push(file)
  for (const each of Object.values(node)) collect(each, file)
}

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BenchResults } from '../../bench/bench-results.ts'

const run = promisify(execFile)
const BENCH = join(import.meta.dirname, '../../bench/bench.ts')
/** Parts without a server, and one with: only that figures come out is checked, not their values. */
const PARTS = ['stages', 'dedupe', 'stored']

describe('npm run bench -- --quick', () => {
  let directory: string
  let results: BenchResults
  let table: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tollgate-bench-test-'))
    const file = join(directory, 'results.json')
    table = (await run(process.execPath, [BENCH, ...PARTS, '--quick', '--events', '20000', '--json', file])).stdout
    results = JSON.parse(await readFile(file, 'utf8')) as BenchResults
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('every part that was asked for ends with figures that are numbers', () => {
    expect(results.parts.map(({ part, failure }) => ({ part, failure }))).toEqual(PARTS.map((part) => ({ part, failure: null })))
    const figures = results.parts.flatMap((part) => part.figures)
    expect(figures.filter(({ value }) => !Number.isFinite(value))).toEqual([])
    for (const { part, figures } of results.parts) expect(figures.length, part).toBeGreaterThan(3)
  })

  test('the JSON says on what machine, of which commit, and whether each budget is met', () => {
    expect(results.machine).toMatchObject({
      node: process.version,
      cores: expect.any(Number),
      commit: expect.stringMatching(/^[0-9a-f]{40}$|^unknown$/),
    })
    const budgeted = results.parts.flatMap((part) => part.figures.filter(({ budget }) => budget !== undefined))
    expect(budgeted.length).toBeGreaterThan(0)
    for (const figure of budgeted) expect(figure).toHaveProperty('isMet')
  })

  test('the table has a row for every figure', () => {
    for (const { what } of results.parts.flatMap((part) => part.figures)) expect(table).toContain(what)
  })
})

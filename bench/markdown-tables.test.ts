import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BenchResults } from './bench-results.ts'
import { withTables } from './markdown-tables.ts'
import type { Figure } from './part.ts'
import { PARTS } from './parts.ts'

test('a table is put between its marks, and nothing else changes', () => {
  const page = 'before\n<!-- bench:dedupe -->\nold\n<!-- /bench -->\nbetween\n<!-- bench:rating -->\nkept\n<!-- /bench -->\nafter\n'
  const text = withTables(page, [run('dedupe', [{ what: 'memory', value: 1.5, unit: 'bytes/event', budget: { max: 2 } }])])
  expect(text).toContain('| memory | 1.5 bytes/event | ≤ 2 met |  |')
  expect(text).not.toContain('old')
  expect(text).toMatch(
    /^before\n<!-- bench:dedupe -->\n[\s\S]*<!-- \/bench -->\nbetween\n<!-- bench:rating -->\nkept\n<!-- \/bench -->\nafter\n$/,
  )
  expect(withTables(text, [])).toBe(text)
})

test('a missed budget says by how much', () => {
  const figures = [
    { what: 'CPU', value: 12, unit: 'µs/event', budget: { max: 8 } },
    { what: 'rate', value: 80_000, unit: 'events/s', budget: { min: 100_000 } },
    { what: 'memory', value: 900, unit: 'MiB', budget: { max: 1_024 } },
    { what: 'without', value: 1, unit: 'x' },
  ]
  const text = withTables(block('budgets'), [run('ingest', figures)])
  expect(text).toContain('| ingest | CPU | 12 µs/event | ≤ 8 MISSED by 1.5 x |')
  expect(text).toContain('| ingest | rate | 80,000 events/s | ≥ 100,000 MISSED by 1.25 x |')
  expect(text).toContain('| ingest | memory | 900 MiB | ≤ 1,024 met |')
  expect(text).not.toContain('without')
})

test('of a part that several runs have the last counts, but not one that failed', () => {
  const runs = [
    run('rating', [{ what: 'rate', value: 1, unit: 'invoices/s' }]),
    run('rating', [{ what: 'rate', value: 2, unit: 'invoices/s' }]),
    run('rating', [], 'no server'),
  ]
  expect(withTables(block('rating'), runs)).toContain('| rate | 2 invoices/s |')
})

test('the short table has a figure with its floor, and no row for what was not measured', () => {
  const figures = [
    { what: 'batches of 1000: server CPU', value: 9, unit: 'µs/event', budget: { max: 8 } },
    { what: 'floor: engine alone, same rows', value: 3, unit: 'µs/event' },
  ]
  const text = withTables(block('short'), [run('ingest', figures)])
  expect(text).toContain('| CPU per event, HTTP to queryable | 9 µs/event | ≤ 8 MISSED | engine alone, same rows: 3 µs/event |')
  expect(text).not.toContain('decisions')
})

test('a smoke run says that it is one, a shared machine that it was', () => {
  const quick = run('rating', [])
  const text = withTables(block('rating'), [
    { ...quick, machine: { ...quick.machine, loadBefore: 3 }, options: { ...quick.options, isQuick: true } },
  ])
  expect(text).toContain('Smoke run')
  expect(text).toContain('shared with other work, load 3.0 before')
  expect(withTables(block('rating'), [quick])).not.toMatch(/Smoke|shared/)
})

test('runs on one machine are named once, with the commits of each', () => {
  const first = run('rating', [])
  const second = run('dedupe', [])
  const text = withTables(block('short'), [first, { ...second, machine: { ...second.machine, commit: 'fedcba9876543210' } }])
  expect(text).toContain('some CPU, 2 cores, 8 GiB, Node v24.0.0, 2026-01-02, commit 0123456, fedcba9.')
})

test('docs/performance.md has a table for every part', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/performance.md'), 'utf8')
  const named = [...page.matchAll(/<!-- bench:(\S+) -->/g)].map(([, name]) => name)
  expect(named.sort()).toEqual([...PARTS.map(({ name }) => name), 'budgets'].sort())
})

function block(name: string): string {
  return `<!-- bench:${name} -->\n<!-- /bench -->\n`
}

function run(part: string, figures: readonly Figure[], failure: string | null = null): BenchResults {
  return {
    machine: {
      cpu: 'some CPU',
      cores: 2,
      memoryGiB: 8,
      system: 'linux',
      node: 'v24.0.0',
      versions: {},
      commit: '0123456789abcdef',
      hasUncommittedChanges: false,
      startedAt: '2026-01-02T03:04:05.000Z',
      loadBefore: 0.1,
    },
    options: { isQuick: false, isLarge: false, events: null, cpuProfileDir: null },
    parts: [{ part, figures, failure, tookSeconds: 1 }],
  }
}

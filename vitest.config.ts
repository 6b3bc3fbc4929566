import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { COMPILED_ONCE } from './test/support/compiled-once.ts'

// The first test file that needs something shared by this run creates it; it is removed with this process.
process.env.TOLLGATE_TEST_RUN ??= String(process.pid)
process.once('exit', () => rmSync(join(tmpdir(), `tollgate-test-${process.pid}`), { recursive: true, force: true }))
Object.assign(process.env, COMPILED_ONCE)

// Test files record in this file which implementations they ran on; the reporter reads it at the end.
process.env.TOLLGATE_TEST_IMPLEMENTATIONS ??= join(tmpdir(), `tollgate-implementations-${process.pid}`)

// Forks, not threads: one process may hold one chDB directory, and the engine must not outlive a worker thread. The time-outs end
// a test that hangs; a busy machine does not reach them.
const shared = { pool: 'forks', testTimeout: 300_000, hookTimeout: 300_000 } as const
/** For tests that start servers. */
const starting = { ...shared, globalSetup: './test/support/servers/bundle-tollgate.ts' } as const
const LONG = '**/*.long.test.ts'

export default defineConfig({
  test: {
    maxWorkers: 2,
    // What one fault makes hang in test after test ends before the machine's patience does. A failed test counts with the suites and
    // the file around it.
    bail: process.env.CI === undefined ? 0 : 60,
    reporters: ['default', './test/support/suites-reporter.ts', ...(process.env.CI === undefined ? [] : (['json'] as const))],
    outputFile: { json: 'test-results.json' },
    projects: [
      {
        test: {
          ...starting,
          name: 'unit',
          include: [
            '{base,domain,adapters,ingest,aggregator,usage,entitlements,rating,billing,alerts,commerce,custody,api,compat,runtime,schemas,sdk,look,console,bench,deploy}/**/*.test.ts',
          ],
        },
      },
      { test: { ...starting, name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      { test: { ...shared, name: 'simulation', include: ['test/simulation/**/*.test.ts'] } },
      { test: { ...starting, name: 'crash', include: ['test/crash/**/*.test.ts'] } },
      { test: { ...starting, name: 'faults', include: ['test/faults/**/*.test.ts'] } },
      { test: { ...starting, name: 'fuzz', include: ['test/fuzz/**/*.test.ts'] } },
      { test: { ...starting, name: 'e2e', include: ['test/e2e/**/*.test.ts'], exclude: [LONG] } },
      { test: { ...starting, name: 'browser', include: ['test/browser/**/*.test.ts'] } },
      { test: { ...starting, name: 'long', include: [`test/${LONG}`] } },
      { test: { ...starting, name: 'containers', include: ['test/containers/**/*.test.ts'] } },
    ],
  },
})

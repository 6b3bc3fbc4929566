import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// Test files say in this file what they ran on; the reporter reads it at the end.
process.env.TOLLGATE_TEST_IMPLEMENTATIONS ??= join(tmpdir(), `tollgate-implementations-${process.pid}`)

// Forks, not threads: one process may hold one chDB directory, and the engine must not outlive a worker thread.
const shared = { pool: 'forks', testTimeout: 60_000, hookTimeout: 120_000 } as const

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ['default', './test/support/suites-reporter.ts', ...(process.env.CI === undefined ? [] : (['json'] as const))],
    outputFile: { json: 'test-results.json' },
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: [
            '{base,domain,adapters,ingest,aggregator,usage,entitlements,rating,billing,alerts,api,runtime,schemas,sdk,bench,deploy}/**/*.test.ts',
          ],
        },
      },
      { test: { ...shared, name: 'contracts', include: ['test/contracts/**/*.test.ts'] } },
      { test: { ...shared, name: 'simulation', include: ['test/simulation/**/*.test.ts'] } },
      { test: { ...shared, name: 'crash', include: ['test/crash/**/*.test.ts'] } },
      { test: { ...shared, name: 'faults', include: ['test/faults/**/*.test.ts'] } },
      { test: { ...shared, name: 'fuzz', include: ['test/fuzz/**/*.test.ts'] } },
      { test: { ...shared, name: 'e2e', include: ['test/e2e/**/*.test.ts'] } },
      { test: { ...shared, name: 'containers', include: ['test/containers/**/*.test.ts'] } },
    ],
  },
})

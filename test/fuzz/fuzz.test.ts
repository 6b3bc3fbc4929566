import { expect, test } from 'vitest'
import { fuzzRun } from './fuzz-run.ts'

const MIB = 2 ** 20
/** What a run may add to a warm server: the keys, customers and events that it keeps. */
const HEAP_GROWTH_BYTES_MAX = 128 * MIB
const RESIDENT_GROWTH_BYTES_MAX = 512 * MIB

test('hostile requests are answered by the contract, and leave the server and the other tenant as they were', async () => {
  const report = await fuzzRun({ seed: 1, requests: 1_000, connections: 16, idle: 1_000, slow: 10 })
  expect(report.failures.join('\n\n')).toBe('')
  expect(report.sent).toBe(1_000)
  // Connections that the server ended come again, so their number at the end varies.
  expect(report.crowdHeld).toBeGreaterThan(0)
  const [warm, end] = report.memory
  expect((end?.heapBytes ?? Number.NaN) - (warm?.heapBytes ?? Number.NaN)).toBeLessThan(HEAP_GROWTH_BYTES_MAX)
  expect((end?.residentBytes ?? Number.NaN) - (warm?.residentBytes ?? Number.NaN)).toBeLessThan(RESIDENT_GROWTH_BYTES_MAX)
})

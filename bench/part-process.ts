import type { BenchOptions } from './part.ts'
import { PARTS } from './parts.ts'

/** Runs one part for bench.ts and sends its figures. */
const [name, options] = process.argv.slice(2)
const part = PARTS.find((candidate) => candidate.name === name)
if (part === undefined || options === undefined) throw new Error('bench.ts starts this process')

const startedMs = performance.now()
const progress = (message: string) => console.error(`  ${((performance.now() - startedMs) / 1_000).toFixed(0).padStart(4)} s  ${message}`)
const result = await part.run({ ...(JSON.parse(options) as BenchOptions), progress }).then(
  (figures) => ({ figures }),
  (error: unknown) => ({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
)
// The embedded engines keep threads that would hold the process open.
process.send?.(result, () => process.exit(0))

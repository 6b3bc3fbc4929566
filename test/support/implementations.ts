import { appendFileSync, readFileSync, rmSync } from 'node:fs'
import packageJson from '../../package.json' with { type: 'json' }

const { dependencies } = packageJson

/** An implementation of a seam that a test file ran on, or why it could not. */
export type Implementation =
  | { readonly name: string; readonly version: string; readonly missing: null }
  | { readonly name: string; readonly version: null; readonly missing: string }

/** Test files run in their own processes, and report the implementations they ran on through a file that the run names. */
export function reportImplementation(implementation: Implementation): void {
  const path = process.env.TOLLGATE_TEST_IMPLEMENTATIONS
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(implementation)}\n`)
}

/** An embedded engine, which comes with a package. */
export function reportEmbedded(dependency: keyof typeof dependencies): void {
  reportImplementation({ name: dependency, version: dependencies[dependency], missing: null })
}

/** Everything reported so far, each once; an implementation that ran anywhere is not missing. Clears the reports. */
export function takeImplementations(): readonly Implementation[] {
  const path = process.env.TOLLGATE_TEST_IMPLEMENTATIONS
  if (path === undefined) return []
  let lines: readonly string[]
  try {
    lines = readFileSync(path, 'utf8').trim().split('\n')
  } catch {
    // No test that ran uses an implementation.
    return []
  }
  rmSync(path)
  const reported = [...new Set(lines)].map((line) => JSON.parse(line) as Implementation)
  const ran = new Set(reported.filter(({ missing }) => missing === null).map(({ name }) => name))
  return reported.filter(({ name, missing }) => missing === null || !ran.has(name)).toSorted((a, b) => a.name.localeCompare(b.name))
}

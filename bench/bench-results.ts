import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Machine } from './machine.ts'
import { type BenchOptions, type Figure, meetsBudget } from './part.ts'

/** The JSON file that a run writes. */
export type BenchResults = {
  readonly machine: Machine
  readonly options: BenchOptions
  readonly parts: readonly PartResult[]
}

export type PartResult = {
  readonly part: string
  readonly figures: readonly Figure[]
  readonly failure: string | null
  readonly tookSeconds: number
}

/** States for each budget whether it is met, for readers that do not know how to compare a budget. */
export async function writeBenchResults(file: string, results: BenchResults): Promise<void> {
  const parts = results.parts.map((part) => ({
    ...part,
    figures: part.figures.map((figure) => (figure.budget === undefined ? figure : { ...figure, isMet: meetsBudget(figure) })),
  }))
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify({ ...results, parts }, null, 2)}\n`)
}

export async function readBenchResults(file: string): Promise<BenchResults> {
  return JSON.parse(await readFile(file, 'utf8')) as BenchResults
}

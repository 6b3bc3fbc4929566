import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { inLongRun } from '../support/long-run.ts'
import { removeDirectory, temporaryDirectory } from '../support/servers/tollgate-process.ts'

const RECORDS = 80
/** Twice as many combinations as a meter keeps of a day. */
const RECORDS_BEYOND_SERIES = 20

type Answer = {
  readonly records: number
  readonly sums: readonly {
    readonly meter: string
    readonly events: string
    readonly sum: string
    readonly windows: string
    readonly series: string
  }[]
  readonly letGo: number
}

/** The output of the child; null when it ran out of memory. */
async function aggregate(
  directory: string,
  appendedRecords: number,
  windowMegabytes: number | '',
  seriesMax: number | '',
): Promise<Answer | null> {
  const child = new URL('cardinality-child.ts', import.meta.url).pathname
  const args = ['--max-old-space-size=160', child, directory, String(appendedRecords), String(windowMegabytes), String(seriesMax)]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return JSON.parse(stdout) as Answer
  } catch (error) {
    expect(String((error as { stderr?: string }).stderr)).toContain('heap out of memory')
    return null
  }
}

test('three meters whose dimensions differ in every event: windows stay within their memory, also at the next start; in a long run a process that died of them starts again', async () => {
  const directory = await temporaryDirectory()
  try {
    // Without the bound every start folds the whole chunk into memory, and runs out of it, which takes half a minute.
    if (inLongRun(true, false)) expect(await aggregate(directory, RECORDS, 100_000, 100_000)).toBeNull()
    const first = await aggregate(directory, inLongRun(0, RECORDS), 16, 100_000)
    expect(first?.letGo).toBeGreaterThan(5)
    const second = await aggregate(directory, 1, 16, 100_000)
    expect(second?.letGo).toBeGreaterThan(5)
    for (const answer of [first, second]) {
      const events = String((answer?.records ?? 0) * 1_000)
      expect(answer?.sums).toMatchObject(['request', 'session', 'trace'].map((meter) => ({ meter, events, sum: events })))
    }
  } finally {
    await removeDirectory(directory)
  }
})

test('the same beyond what the meters keep of a day: the rest is added up as (other), the same after a start, and nothing is lost', async () => {
  const directory = await temporaryDirectory()
  try {
    for (const [appended, records] of [
      [RECORDS_BEYOND_SERIES, RECORDS_BEYOND_SERIES],
      [0, RECORDS_BEYOND_SERIES],
      [1, RECORDS_BEYOND_SERIES + 1],
    ] as const) {
      const events = String(records * 1_000)
      const answer = await aggregate(directory, appended, '', '')
      expect(answer?.sums).toMatchObject(['request', 'session', 'trace'].map((meter) => ({ meter, events, sum: events, series: '10001' })))
    }
  } finally {
    await removeDirectory(directory)
  }
})

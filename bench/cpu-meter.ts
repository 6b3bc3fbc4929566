import { median } from './distribution.ts'

/**
 * CPU time of this whole process per item, garbage collection included, as the median of several rounds after one that lets V8
 * compile. `work` handles `items` and may return a value that the next step needs.
 */
export async function cpuMicrosPerItem(
  items: number,
  rounds: number,
  work: (round: number) => void | Promise<void>,
): Promise<{ readonly micros: number; readonly leastMicros: number }> {
  await work(0)
  const measured: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const before = process.cpuUsage()
    await work(round)
    const { user, system } = process.cpuUsage(before)
    measured.push((user + system) / items)
  }
  return { micros: median(measured), leastMicros: Math.min(...measured) }
}

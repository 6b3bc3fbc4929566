/** A round number at or above the largest value, and the steps up to it: 0, 10M, 20M, 30M. */
export function valueTicks(largest: number, wanted = 4): readonly number[] {
  if (!(largest > 0)) return [0, 1]
  const rough = largest / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = (STEPS.find((each) => each * power >= rough) ?? 10) * power
  return Array.from({ length: Math.ceil(largest / step - 1e-9) + 1 }, (_, at) => at * step)
}

const STEPS = [1, 2, 2.5, 5, 10] as const

/** Every so many positions, so that at most `most` of them are named. */
export function everyNth(count: number, most: number): number {
  const rough = count / Math.max(1, most)
  return NICE_COUNTS.find((each) => each >= rough) ?? Math.ceil(rough)
}

const NICE_COUNTS = [1, 2, 3, 4, 6, 7, 12, 14, 15, 24, 28, 30, 48, 60, 96, 120, 180, 240] as const

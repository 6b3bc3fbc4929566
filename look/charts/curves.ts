export type Point = { readonly x: number; readonly y: number }

/**
 * A path through the points that never overshoots: a rise stays a rise between two points. Fritsch and Carlson's monotone cubic,
 * in Steffen's form (Astronomy and Astrophysics 239, 1990).
 */
export function monotonePath(points: readonly Point[]): string {
  return points.length === 0 ? '' : `M${at(points[0])}${curvesThrough(points)}`
}

/** The area between an upper and a lower line over the same x. */
export function bandPath(upper: readonly Point[], lower: readonly Point[]): string {
  if (upper.length === 0) return ''
  const back = [...lower].reverse()
  return `${monotonePath(upper)}L${at(back[0])}${curvesThrough(back)}Z`
}

export function linePath(points: readonly Point[]): string {
  return points.map((point, index) => `${index === 0 ? 'M' : 'L'}${at(point)}`).join('')
}

function curvesThrough(points: readonly Point[]): string {
  const slopes = slopesOf(points)
  let path = ''
  for (let index = 1; index < points.length; index++) {
    const [from, to] = [points[index - 1], points[index]]
    if (from === undefined || to === undefined) continue
    const third = (to.x - from.x) / 3
    const start = { x: from.x + third, y: from.y + third * (slopes[index - 1] ?? 0) }
    const end = { x: to.x - third, y: to.y - third * (slopes[index] ?? 0) }
    path += `C${at(start)} ${at(end)} ${at(to)}`
  }
  return path
}

function slopesOf(points: readonly Point[]): readonly number[] {
  const steps = points.slice(1).map((point, index) => {
    const before = points[index] ?? point
    const width = point.x - before.x
    return { width: Math.abs(width), slope: width === 0 ? 0 : (point.y - before.y) / width }
  })
  return points.map((_, index) => {
    const [before, after] = [steps[index - 1], steps[index]]
    if (before === undefined || after === undefined) return before?.slope ?? after?.slope ?? 0
    if (before.slope * after.slope <= 0) return 0
    const mean = (before.slope * after.width + after.slope * before.width) / (before.width + after.width)
    return Math.sign(mean) * Math.min(2 * Math.abs(before.slope), 2 * Math.abs(after.slope), Math.abs(mean))
  })
}

function at(point: Point | undefined): string {
  return `${round(point?.x ?? 0)},${round(point?.y ?? 0)}`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

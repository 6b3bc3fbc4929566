import { linePath } from '../../../look/charts/curves.ts'

const WIDTH = 66
const HEIGHT = 24

/** The course of a figure, without axes. */
export function Spark({ values }: { values: readonly number[] }) {
  if (values.length < 2) return null
  const most = Math.max(...values, 1e-9)
  const points = values.map((value, at) => ({ x: (at / (values.length - 1)) * WIDTH, y: HEIGHT - 2 - (value / most) * (HEIGHT - 4) }))
  const line = linePath(points)
  return (
    <svg className="sparkline" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden>
      <path className="spark-area" d={`${line}L${WIDTH},${HEIGHT}L0,${HEIGHT}Z`} />
      <path className="spark" d={line} />
    </svg>
  )
}

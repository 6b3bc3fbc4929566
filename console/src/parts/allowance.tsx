import { useId } from 'react'
import { toNumber } from '../../../look/figures.ts'

type AllowanceProps = { readonly used: string; readonly held?: string; readonly limit: string | null; readonly label: string }

const WIDTH = 1_000
const NEAR = 0.8

/** A bar of what is used and held of a limit; beyond a soft limit it goes on in another colour behind a mark. */
export function Allowance({ used, held = '0', limit, label }: AllowanceProps) {
  const pattern = useId()
  const [usedUnits, heldUnits, limitUnits] = [toNumber(used), toNumber(held), limit === null ? 0 : toNumber(limit)]
  const full = Math.max(limitUnits, usedUnits + heldUnits, 1)
  const at = (units: number) => (Math.max(0, units) / full) * WIDTH
  const isOver = limit !== null && usedUnits > limitUnits
  const share = limitUnits === 0 ? 0 : usedUnits / limitUnits
  const tone = limit === null || isOver ? 'used' : share >= 1 ? 'used-bad' : share >= NEAR ? 'used-warn' : 'used'
  return (
    <svg className="allowance" viewBox={`0 0 ${WIDTH} 10`} preserveAspectRatio="none" role="img" aria-label={label}>
      <defs>
        <pattern id={pattern} width="14" height="10" patternUnits="userSpaceOnUse">
          <path d="M0 10 L14 0" className="hatch" />
        </pattern>
      </defs>
      <rect className="ground" width={WIDTH} height="10" />
      {limit === null ? null : <rect className={tone} width={at(isOver ? limitUnits : usedUnits)} height="10" />}
      {isOver ? <rect className="used-warn" x={at(limitUnits)} width={at(usedUnits - limitUnits)} height="10" /> : null}
      {heldUnits > 0 ? <rect x={at(usedUnits)} width={at(heldUnits)} height="10" fill={`url(#${pattern})`} /> : null}
      {isOver ? <path className="cap" d={`M${at(limitUnits)} 0V10`} vectorEffect="non-scaling-stroke" /> : null}
    </svg>
  )
}

/** A thin bar of a share between 0 and 1, or between two shares. */
export function Bar({
  to,
  from = 0,
  tone = 'fill',
  label,
}: {
  to: number
  from?: number
  tone?: 'fill' | 'fill-warn' | 'fill-strong' | 'fill-minus' | 'fill-plus'
  label: string
}) {
  const at = (share: number) => Math.min(1, Math.max(0, share)) * WIDTH
  return (
    <svg className="bar" viewBox={`0 0 ${WIDTH} 4`} preserveAspectRatio="none" role="img" aria-label={label}>
      <rect className="ground" width={WIDTH} height="4" />
      <rect className={tone} x={at(Math.min(from, to))} width={Math.max(0, at(Math.max(from, to)) - at(Math.min(from, to)))} height="4" />
    </svg>
  )
}

import { useEffect, useState } from 'react'
import { timeText } from '../../../look/times.ts'
import { useMeters } from '../meters/use-meters.ts'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { Segmented } from '../parts/segmented.tsx'
import { RANGES, type RangeName, rangeNamed } from '../parts/time-range.ts'
import { useAddress } from '../parts/use-address.ts'
import { useGuided, useZone } from '../shell/preferences.ts'
import { ClosingCard } from './closing-card.tsx'
import { Figures } from './figures.tsx'
import { Guide } from './guide.tsx'
import { LargestCard } from './largest-card.tsx'
import { NeedsCard } from './needs-card.tsx'
import { TailCard } from './tail-card.tsx'
import { UsageCard } from './usage-card.tsx'
import { chosenMeter, useUsage } from './use-usage.ts'

/** Is all well, and what changed? The figures, the chart and the list of customers come from the same reads. */
export function Overview() {
  const [address, change] = useAddress()
  const meters = useMeters()
  const range = rangeNamed(address.range)
  const [isGuided, endGuided] = useGuided()
  const endGuide = () => {
    endGuided()
    change({ guide: undefined })
  }
  return (
    <>
      <PageHead title="Overview" sub={<Now />}>
        <Segmented
          label="Range"
          value={range}
          onChange={(name: RangeName) => change({ range: name })}
          options={Object.entries(RANGES).map(([name, { label }]) => ({ value: name as RangeName, label }))}
        />
      </PageHead>
      <Loaded of={meters} height={500}>
        {({ data }) => (
          <>
            {address.guide === 'on' || (data.length === 0 && isGuided) ? <Guide onDone={endGuide} /> : null}
            {data.length === 0 ? <TailCard /> : <Figured meters={data} range={range} />}
          </>
        )}
      </Loaded>
    </>
  )
}

function Figured({ meters, range }: { meters: Parameters<typeof chosenMeter>[0]; range: RangeName }) {
  const [address] = useAddress()
  const { meter, by } = chosenMeter(meters, address)
  const usage = useUsage(meter, by, range)
  return (
    <>
      <Figures meter={meter} usage={usage} range={range} />
      <div className="cols c-main">
        <UsageCard meters={meters} meter={meter} by={by} usage={usage} range={range} />
        <LargestCard meter={meter} range={range} />
      </div>
      <div className="cols c-2">
        <NeedsCard />
        <ClosingCard />
      </div>
      <TailCard />
    </>
  )
}

function Now() {
  const [zone] = useZone()
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000)
    return () => clearInterval(timer)
  }, [])
  return `${timeText(now, 'longDate', zone)} ${zone}`
}

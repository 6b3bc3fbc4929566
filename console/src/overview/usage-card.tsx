import { BarChart3, ChartArea, Table2 } from 'lucide-react'
import type { Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { Choice } from '../parts/choice.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { Segmented } from '../parts/segmented.tsx'
import { RANGES, type RangeName } from '../parts/time-range.ts'
import { Legend, UsageChart, UsageTable } from '../parts/usage-chart.tsx'
import { useAddress } from '../parts/use-address.ts'
import type { UsageRead } from './use-usage.ts'

type Kind = 'area' | 'bars' | 'table'
type UsageCardProps = {
  readonly meters: readonly Shape<'Meter'>[]
  readonly meter: Shape<'Meter'> | null
  readonly by: string | null
  readonly usage: UsageRead
  readonly range: RangeName
}

const KINDS = [
  { value: 'area', label: <ChartArea className="icon icon-s" aria-hidden />, title: 'Areas' },
  { value: 'bars', label: <BarChart3 className="icon icon-s" aria-hidden />, title: 'Bars' },
  { value: 'table', label: <Table2 className="icon icon-s" aria-hidden />, title: 'Table' },
] as const

export function UsageCard({ meters, meter, by, usage, range }: UsageCardProps) {
  const [address, change] = useAddress()
  const kind = (address.chart ?? 'area') as Kind
  const { axis, tip, before, window } = RANGES[range]
  if (meter === null) {
    return (
      <Card title="Usage">
        <Empty icon={ChartArea} title="No meter counts yet">
          <p>A meter says which events count, and what of them.</p>
        </Empty>
      </Card>
    )
  }
  const dimensions = Object.keys(meter.dimensions)
  return (
    <Card
      title="Usage"
      actions={
        <>
          <Choice
            label="Meter"
            prefix="Meter"
            value={meter.key}
            onChange={(key) => change({ meter: key, by: undefined })}
            options={meters.map(({ key }) => ({ value: key, label: key }))}
          />
          {dimensions.length === 0 ? null : (
            <Choice
              label="Divided by"
              prefix="by"
              value={by ?? 'none'}
              onChange={(name) => change({ by: name })}
              options={[...dimensions.map((name) => ({ value: name, label: name })), { value: 'none', label: 'nothing' }]}
            />
          )}
          <span className="hint small faint">1 {window} a point</span>
          <Segmented label="Shown as" value={kind} onChange={(value: Kind) => change({ chart: value })} options={KINDS} />
          <CopyCurl path={`/v1/meters/${encodeURIComponent(meter.key)}/usage?window=${window}${by === null ? '' : `&groupBy=${by}`}`} />
        </>
      }
      foot={
        usage.data === undefined ? undefined : (
          <>
            <Legend of={usage.data.now} before={kind === 'area' ? before : undefined} />
            <span className="end nowrap">
              as of <Instant at={usage.data.asOf} shape="seconds" />
            </span>
          </>
        )
      }
      isFlush={kind === 'table'}
    >
      <Loaded of={usage} height={330}>
        {({ now, before: past }) =>
          kind === 'table' ? (
            <UsageTable of={now} label={`Usage of ${meter.key}`} shape={tip} />
          ) : (
            <UsageChart
              of={now}
              before={kind === 'area' ? past.totals : undefined}
              kind={kind}
              label={`Usage of ${meter.key} by ${by ?? 'window'}`}
              shape={{ axis, tip }}
            />
          )
        }
      </Loaded>
    </Card>
  )
}

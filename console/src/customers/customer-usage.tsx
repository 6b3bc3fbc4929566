import { useQuery } from '@tanstack/react-query'
import { quantityText } from '../../../look/figures.ts'
import { answered, api } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { useMeters } from '../meters/use-meters.ts'
import { Card } from '../parts/card.tsx'
import { Choice } from '../parts/choice.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { Segmented } from '../parts/segmented.tsx'
import { boundsOf, RANGES, type RangeName, rangeNamed } from '../parts/time-range.ts'
import { Legend, UsageChart } from '../parts/usage-chart.tsx'
import { usageSeries } from '../parts/usage-series.ts'
import { useAddress } from '../parts/use-address.ts'

/** The customer's own course of a meter. */
export function CustomerUsage({ customer }: { customer: string }) {
  const [address, change] = useAddress()
  const range = rangeNamed(address.range ?? '30d')
  const { window, axis, tip } = RANGES[range]
  const meters = useMeters()
  const list = meters.data?.data ?? []
  const meter = list.find(({ key }) => key === address.meter) ?? list.find(({ aggregation }) => aggregation === 'sum') ?? list[0]
  const dimensions = Object.keys(meter?.dimensions ?? {})
  const by = address.by === 'none' ? null : (dimensions.find((name) => name === address.by) ?? dimensions[0] ?? null)
  const usage = useQuery({
    queryKey: ['customer-usage', customer, meter?.key, by, range],
    enabled: meter !== undefined,
    queryFn: async () => {
      const bounds = boundsOf(range, Date.now())
      const query = {
        customer: [customer],
        window,
        from: new Date(bounds.fromMs).toISOString(),
        to: new Date(bounds.toMs).toISOString(),
        ...(by === null ? {} : { groupBy: by }),
      }
      const { data } = await answered(api.GET('/v1/meters/{key}/usage', { params: { path: { key: meter?.key ?? '' }, query } }))
      return usageSeries(data, bounds, window, by)
    },
    ...every(LIST_MS),
    placeholderData: (previous) => previous,
  })
  if (meter === undefined) return null
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
            options={list.map(({ key }) => ({ value: key, label: key }))}
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
          <Segmented
            label="Range"
            value={range}
            onChange={(name: RangeName) => change({ range: name })}
            options={Object.entries(RANGES).map(([name, { label }]) => ({ value: name as RangeName, label }))}
          />
        </>
      }
      foot={
        usage.data === undefined ? undefined : (
          <>
            <Legend of={usage.data} />
            <span className="end num">{quantityText(usage.data.total)} in all</span>
          </>
        )
      }
    >
      <Loaded of={usage} height={210}>
        {(data) => <UsageChart of={data} kind="bars" height={210} label={`Usage of ${meter.key} by ${customer}`} shape={{ axis, tip }} />}
      </Loaded>
    </Card>
  )
}

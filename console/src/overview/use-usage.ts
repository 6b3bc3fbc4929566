import { useQuery } from '@tanstack/react-query'
import { answered, api, type Shape } from '../api/client.ts'
import { every } from '../api/live.ts'
import { boundsOf, RANGES, type RangeName } from '../parts/time-range.ts'
import { usageSeries } from '../parts/usage-series.ts'

type Meter = Shape<'Meter'>

/** The meter and the dimension that the address names, else the first ones. */
export function chosenMeter(meters: readonly Meter[], address: Readonly<Record<string, string | undefined>>) {
  const meter =
    meters.find(({ key }) => key === address.meter) ?? meters.find(({ aggregation }) => aggregation === 'sum') ?? meters[0] ?? null
  const dimensions = Object.keys(meter?.dimensions ?? {})
  const by = address.by === 'none' ? null : (dimensions.find((name) => name === address.by) ?? dimensions[0] ?? null)
  return { meter, by }
}

/** Usage of the meter in the range and in the time before it, from one read of both. */
export function useUsage(meter: Meter | null, by: string | null, range: RangeName) {
  const { ms, window, everyMs } = RANGES[range]
  return useQuery({
    queryKey: ['usage', meter?.key, by, range],
    enabled: meter !== null,
    queryFn: async () => {
      const bounds = boundsOf(range, Date.now())
      const query = {
        window,
        from: new Date(bounds.fromMs - ms).toISOString(),
        to: new Date(bounds.toMs).toISOString(),
        ...(by === null ? {} : { groupBy: by }),
      }
      const { data, asOf } = await answered(api.GET('/v1/meters/{key}/usage', { params: { path: { key: meter?.key ?? '' }, query } }))
      const past = { fromMs: bounds.fromMs - ms, toMs: bounds.fromMs }
      return { now: usageSeries(data, bounds, window, by), before: usageSeries(data, past, window, by), asOf, bounds }
    },
    ...every(everyMs),
    placeholderData: (previous) => previous,
  })
}

export type UsageRead = ReturnType<typeof useUsage>

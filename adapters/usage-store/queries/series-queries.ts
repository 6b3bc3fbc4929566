import { SERIES_SEPARATOR } from '../../../domain/metering/series.ts'
import type { ClickHouseExecutor, ResultRow } from '../engine/clickhouse-executor.ts'
import { engineErrorCode } from '../engine/usage-store-fault.ts'
import { BACKFILL_CHUNK_BASE, type MeterRevision, type SeriesDay, type UsageStore } from '../usage-store.ts'
import { TOO_SLOW } from './bounded-select.ts'
import { textHashSql } from './event-hash-sql.ts'
import { textRow } from './text-row.ts'

/** Which combinations of dimensions windows have. All versions of a row have the same, so nothing here needs `FINAL`. */
export function createSeriesQueries(
  executor: ClickHouseExecutor,
  metersTimeMs: number,
): Pick<UsageStore, 'seriesOfDays' | 'seriesOfMeters'> {
  return {
    async seriesOfDays({ partition, isBackfilled }, days) {
      const [chunkFrom, chunkTo] = chunksOf(isBackfilled)
      const found = new Map<SeriesDay, readonly number[]>()
      for (let from = 0; from < days.length; from += DAYS_PER_QUERY_MAX) {
        const byName = new Map(days.slice(from, from + DAYS_PER_QUERY_MAX).map((day) => [dayName(day), day]))
        const params = { partition, chunkFrom, chunkTo, days: [...byName.keys()].join('') }
        for (const row of await executor.select(SERIES_OF_DAYS, params)) {
          const day = byName.get(textRow(row.slice(0, -1).map(String)))
          if (day !== undefined) found.set(day, (row.at(-1) as ResultRow).map(Number))
        }
      }
      return found
    },

    async seriesOfMeters(meters, isBackfilled, seriesMax) {
      if (meters.length === 0) return []
      const [chunkFrom, chunkTo] = chunksOf(isBackfilled)
      const reading = executor.select(
        // The engine takes the bound of an aggregate function only as a literal.
        `SELECT tenant, meter, revision, groupUniqArray(${seriesMax + 1})(${SERIES_HASH}) FROM usage_windows
         PREWHERE (tenant, meter, revision) IN (SELECT * FROM format(TSV, '${REVISION}', {meters:String}))
           AND chunk >= {chunkFrom:UInt64} AND chunk < {chunkTo:UInt64}
         GROUP BY tenant, meter, revision SETTINGS max_execution_time = ${metersTimeMs / 1_000}`,
        { meters: meters.map(meterName).join(''), chunkFrom, chunkTo },
      )
      const rows = await reading.catch(nullWhereTooSlow)
      // So many windows that reading them takes long are taken for many combinations.
      if (rows === null) return meters.map(() => null)
      const found = new Map(rows.map((row) => [textRow(row.slice(0, 3).map(String)), (row[3] as ResultRow).map(Number)]))
      return meters.map((meter) => {
        const series = found.get(meterName(meter)) ?? []
        return series.length > seriesMax ? null : series
      })
    },
  }
}

function nullWhereTooSlow(error: unknown): null {
  if (engineErrorCode((error as Error).cause) === TOO_SLOW) return null
  throw error
}

/** Each may have some 10,000 combinations: an answer of some 60 MB at most. */
const DAYS_PER_QUERY_MAX = 500

const SERIES_HASH = textHashSql(`arrayStringConcat(mapValues(dimensions), char(${SERIES_SEPARATOR.charCodeAt(0)}))`)
const REVISION = 'tenant String, meter String, revision UInt64'

const DAY = 'intDiv(toUnixTimestamp(window_start), 86400)'
const WANTED = `format(TSV, '${REVISION}, customer String, day UInt32', {days:String})`

/** The first conditions let the engine skip by primary key and by month; the last decides. */
const SERIES_OF_DAYS = `SELECT tenant, meter, revision, customer, ${DAY} AS day, groupUniqArray(${SERIES_HASH}) FROM usage_windows
  PREWHERE log_partition = {partition:UInt32} AND chunk >= {chunkFrom:UInt64} AND chunk < {chunkTo:UInt64}
    AND customer IN (SELECT customer FROM ${WANTED})
    AND (tenant, meter, revision, customer) IN (SELECT tenant, meter, revision, customer FROM ${WANTED})
    AND window_start >= toDateTime((SELECT min(day) FROM ${WANTED}) * 86400, 'UTC')
    AND window_start <= toDateTime(least((SELECT max(day) FROM ${WANTED}) * 86400 + 86399, 4294967295), 'UTC')
    AND (tenant, meter, revision, customer, ${DAY}) IN (SELECT * FROM ${WANTED})
  GROUP BY tenant, meter, revision, customer, day`

function chunksOf(isBackfilled: boolean): readonly [number, number] {
  return isBackfilled ? [BACKFILL_CHUNK_BASE, 2 * BACKFILL_CHUNK_BASE] : [0, BACKFILL_CHUNK_BASE]
}

function meterName({ tenant, meter, revision }: MeterRevision): string {
  return textRow([tenant, meter, String(revision)])
}

function dayName({ tenant, meter, revision, customer, day }: SeriesDay): string {
  return textRow([tenant, meter, String(revision), customer, String(day)])
}

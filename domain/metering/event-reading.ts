import { compiledMeter, type MeterReading } from './expressions/compiled-meter.ts'
import { isAdditive, type Meter } from './meter.ts'
import { readMeterValue } from './metering.ts'
import { dimensionsOfReport, type ReportedUsage, readUsageReport, USAGE_REPORT_TYPE } from './usage-report.ts'

/** What one event adds to a meter, and under which dimensions (names ascending). */
export type EventReading = { readonly reading: MeterReading; readonly dimensions: Readonly<Record<string, string>> }

/**
 * Reads one accepted event under a meter; null when the event is not the meter's: of another type, or not selected. `data` is its
 * parsed data. A direct usage report counts for the meter that it names, whatever event type that one reads.
 */
export function readEvent(meter: Meter, event: { readonly type: string }, data: object): EventReading | null {
  if (event.type === USAGE_REPORT_TYPE) return readReport(meter, readUsageReport(data))
  if (event.type !== meter.eventType) return null
  const compiled = compiledMeter(meter)
  const reading = readMeterValue(meter, data)
  return reading === null ? null : { reading, dimensions: compiled.dimensionsOf(compiled.readDimensions(data)) }
}

/** Types of the events that may count for a meter. */
export function eventTypesOf({ aggregation, eventType }: Meter): readonly string[] {
  return isAdditive(aggregation) ? [eventType, USAGE_REPORT_TYPE] : [eventType]
}

function readReport(meter: Meter, report: ReportedUsage | null): EventReading | null {
  if (report === null || report.meter !== meter.key || report.quantity === null || !isAdditive(meter.aggregation)) return null
  const compiled = compiledMeter(meter)
  return {
    reading: { value: report.quantity, text: null },
    dimensions: compiled.dimensionsOf(dimensionsOfReport(report, compiled)),
  }
}

import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

const BACKFILL_RETRY_SECONDS = 2

/** Refusals about usage: quantities in requests, and questions about usage. */
export const USAGE_REFUSALS = {
  invalid_quantity: {
    status: 400,
    means: 'A quantity is not an exact decimal within its bounds.',
    next: 'Send a decimal with at most 20 digits before the point and 9 after it.',
    detail: ({ quantity, range }: { quantity: string | number; range: 'any' | 'from 0' | 'above 0' }) =>
      `quantity must be an exact decimal ${range === 'any' ? '' : `${range} `}with at most 20 digits before the point and 9 fractional digits, was ${JSON.stringify(quantity)}.`,
  },
  report_id_reused: {
    status: 409,
    means: 'A report with `upTo` of another customer, feature or quantity has this id.',
    next: 'Take a new id for each report.',
    detail: ({ report }: { report: string }) =>
      `Report ${report} was made with another customer, feature or quantity; take a new id for each report.`,
  },
  outside_feature: {
    status: 400,
    means: 'The properties of a report are not those of the feature that it names.',
    next: 'Name the feature that they belong to, or leave the property out.',
    detail: ({ dimension, value, values }: { dimension: string; value: string; values: readonly string[] }) =>
      `data gives the dimension ${dimension} the value ${JSON.stringify(value.slice(0, 100))}, which the feature does not count; it counts ${values
        .slice(0, 10)
        .map((each) => JSON.stringify(each))
        .join(', ')}. Name the feature that it belongs to, or leave the property out.`,
  },
  unknown_timezone: wrongField('The time zone is not a name of the IANA database.', 'Use a name such as `Europe/Berlin`.'),
  empty_range: wrongField('`from` is not before `to`.'),
  too_many_values: wrongField('A filter has too many values.'),
  too_many_rows: {
    status: 400,
    means: 'The answer would have too many rows.',
    next: 'Ask for pages with `limit`, for a shorter time, a longer window or fewer groups.',
    detail: ({ rowsMax }: { rowsMax: number }) =>
      `The answer has more than ${rowsMax} rows. Ask for pages with limit, for a shorter time, a longer window or fewer groups.`,
  },
  cursor_too_long: {
    status: 400,
    means: 'The values of the dimensions at the end of the page are longer than a cursor holds.',
    next: 'Leave the dimension out of `groupBy`, or ask for one customer, where fewer rows need no pages.',
    detail: ({ characters, charactersMax }: { characters: number; charactersMax: number }) =>
      `The place behind this page takes ${characters} characters, and a cursor holds ${charactersMax}. Leave the dimension with the long values out of groupBy, or ask for one customer.`,
  },
  read_too_slow: {
    status: 503,
    means: 'The usage store took longer for the read than it may.',
    next: 'Ask for a shorter time, fewer customers or groups; or try again after `Retry-After`.',
    retryAfterSeconds: 5,
    detail: ({ timeMs }: { timeMs: number }) =>
      `The usage store took more than ${timeMs} ms for this read, the most that one may take. Ask for a shorter time, fewer customers or groups, or try again in 5 s.`,
  },
  read_too_large: {
    status: 400,
    means: 'The read would take more memory, or bring more bytes, than one may.',
    next: 'Ask for a shorter time, fewer customers or groups.',
    detail: ({ most, of }: { most: number; of: 'memory' | 'result' }) =>
      `This read ${of === 'memory' ? 'needs' : 'brings'} more than ${most} bytes${of === 'memory' ? ' of memory' : ''}, the most that one may. Ask for a shorter time, fewer customers or groups.`,
  },
  too_many_reads_waiting: {
    status: 429,
    means: 'As many reads of events and usage of this tenant wait as may.',
    next: 'Send fewer at once; try again after `Retry-After`.',
    retryAfterSeconds: 1,
    detail: ({ waitingMax }: { waitingMax: number }) =>
      `${waitingMax} reads of events and usage of this tenant wait for their turn, the most that may. Send fewer at once, and try again in 1 s.`,
  },
  meter_backfilling: {
    status: 409,
    means: 'The meter is new or changed and still counts the events from before.',
    next: 'Try again after `Retry-After`.',
    retryAfterSeconds: BACKFILL_RETRY_SECONDS,
    detail: ({ meter }: { meter: string }) =>
      `Meter ${meter} is new or changed and is still counting the events from before. Its usage is complete shortly; try again in ${BACKFILL_RETRY_SECONDS} s.`,
  },
  unknown_event: {
    status: 404,
    means: 'The customer has no event with this id.',
    next: 'Read it about a second after it was accepted.',
    detail: ({ customer, event }: { customer: string; event: string }) =>
      `Customer ${customer} has no event ${event}. Events can be read about a second after they were accepted.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof USAGE_REFUSALS> {}
}

import { open } from 'lmdb'
import { Fault } from '../../domain/fault.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { FORMAT_KEY, LOADED_KINDS, type ReadRow, ROWS_FORMAT, readRow } from './counter-rows.ts'
import { type ForgetRow, readForgetKey } from './hold-rows.ts'
import type { CounterRow, RowKey, RowValue } from './row.ts'

/** The rows of the counters on disk, in LMDB. Errors are `Fault`s: `counters_unavailable` (canRetry). */
export type CounterFile = {
  /** What is kept in memory: every row but those of ended holds. Kind by kind, each in the order of its keys. */
  rows(): Iterable<ReadRow>
  get(key: RowKey): RowValue | undefined
  /** Holds to forget by now, those due first. */
  dueForgetRows(nowMs: InstantMs, rowsMax: number): Iterable<ForgetRow>
  /** Writes all rows in one transaction, in this order; resolves once they are fsynced. */
  write(rows: readonly CounterRow[]): Promise<void>
  close(): Promise<void>
}

/** Opens or creates the directory at `path`. */
export function openCounterFile(path: string): CounterFile {
  const database = openDatabase(path)
  const format = database.get(FORMAT_KEY as (string | number)[])
  if (format === undefined) database.putSync(FORMAT_KEY as (string | number)[], [ROWS_FORMAT])
  else if (format[0] !== ROWS_FORMAT) throw otherFormat(path, format[0])
  return {
    *rows() {
      for (const kind of LOADED_KINDS) {
        for (const { key, value } of database.getRange({ start: [kind], end: [afterAllOf(kind)] })) yield readRow(key, value)
      }
    },
    get: (key) => database.get(key as (string | number)[]),
    *dueForgetRows(nowMs, rowsMax) {
      for (const key of database.getKeys({ start: ['forget'], end: ['forget', nowMs + 1], limit: rowsMax })) yield readForgetKey(key)
    },
    async write(rows) {
      try {
        await database.batch(() => {
          for (const { key, value } of rows) {
            if (value === undefined) void database.remove(key as (string | number)[])
            else void database.put(key as (string | number)[], value)
          }
        })
        await database.flushed
      } catch (cause) {
        throw new Fault('counters_unavailable', `the counters in ${path} could not be written: ${String(cause)}`, {
          canRetry: true,
          publicText: 'Counters cannot be written at the moment; try again.',
          cause,
        })
      }
    },
    close: () => database.close(),
  }
}

/** Sorts behind every key whose first part is this kind: the parts of a key are parted by a byte below any letter. */
const afterAllOf = (kind: string): string => `${kind}~`

function openDatabase(path: string) {
  try {
    return open<RowValue, (string | number)[]>({ path, encoding: 'json' })
  } catch (cause) {
    throw new Fault('counters_unavailable', `the counters in ${path} could not be opened: ${String(cause)}`, {
      canRetry: true,
      publicText: 'Counters cannot be opened at the moment; try again.',
      cause,
    })
  }
}

function otherFormat(path: string, found: unknown): Fault {
  const text = `the counters in ${path} have rows of format ${String(found)}, and this version reads ${ROWS_FORMAT}; start the version that wrote them; or remove the directory, which loses the reservations under way: what was used is counted again from the log`
  return new Fault('counters_unreadable', text, { canRetry: false, publicText: 'Counters are of another version.' })
}

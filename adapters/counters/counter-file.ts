import { open } from 'lmdb'
import { Fault } from '../../domain/fault.ts'
import { type CounterRow, FORMAT_KEY, type ReadRow, ROWS_FORMAT, type RowValue, readRow } from './counter-rows.ts'

/** The rows of the counters on disk, in LMDB. Errors are `Fault`s: `counters_unavailable` (canRetry). */
export type CounterFile = {
  /** Every row, in order of keys. */
  rows(): Iterable<ReadRow>
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
      for (const { key, value } of database.getRange({})) {
        const row = readRow(key, value)
        if (row !== undefined) yield row
      }
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
  const text = `the counters in ${path} have rows of format ${String(found)}, and this version reads ${ROWS_FORMAT}; remove the directory: it is rebuilt from the log`
  return new Fault('counters_unreadable', text, { canRetry: false, publicText: 'Counters are of another version.' })
}

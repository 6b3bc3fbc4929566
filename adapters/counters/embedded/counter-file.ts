import { open, type RootDatabase } from 'lmdb'
import { Fault } from '../../../base/fault.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import { copyLmdb } from '../../lmdb/copy-lmdb.ts'
import { lmdbFailure, type OnPanic } from '../../lmdb/lmdb-failure.ts'
import { type CutOffFile, fillUpFile, findCutOffFile } from '../../lmdb/lmdb-file-length.ts'
import { refuseFullDisk } from '../../lmdb/refuse-full-disk.ts'
import { FORMAT_KEY, LOADED_KINDS, type ReadRow, ROWS_FORMAT, readRow } from './counter-rows.ts'
import { type ForgetRow, readForgetKey } from './hold-rows.ts'
import type { CounterRow, RowKey, RowValue } from './stored-row.ts'

/** The rows of the counters on disk, in LMDB. Errors are `Fault`s: `counters_unavailable` (canRetry). */
export type CounterFile = {
  /** The rows that are kept in memory: all but those of ended holds. Kind by kind, each in the order of its keys. */
  rows(): Iterable<ReadRow>
  get(key: RowKey): RowValue | undefined
  /** Holds to forget by now, the earliest due first. */
  dueForgetRows(nowMs: InstantMs, rowsMax: number): Iterable<ForgetRow>
  /** Writes all rows in one transaction, in this order; resolves once they are fsynced. */
  write(rows: readonly CounterRow[]): Promise<void>
  /** Copies it as of one commit. */
  snapshot(directory: string): Promise<void>
  close(): Promise<void>
}

/** Opens or creates the directory at `path`. */
export function openCounterFile(path: string, onPanic?: OnPanic): CounterFile {
  const database = openDatabase(path)
  const format = database.get(FORMAT_KEY as (string | number)[])
  if (format === undefined) writeFormat(database, path)
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
        refuseFullDisk(path, rows.length * ROW_BYTES)
        await database.batch(() => {
          for (const { key, value } of rows) {
            if (value === undefined) void database.remove(key as (string | number)[])
            else void database.put(key as (string | number)[], value)
          }
        })
      } catch (error) {
        throw await notWritten(error, path, onPanic)
      }
      try {
        fillUpFile(path, database)
      } catch {
        // The commit is durable all the same, and the next write fills the file up.
      }
    },
    snapshot: (directory) => copyLmdb(database, directory),
    close: () => database.close(),
  }
}

/** Bytes on disk of a row, with its share of the pages that change with it. */
const ROW_BYTES = 1_024

/** Sorts after every key whose first part is this kind: a byte below any letter separates the parts of a key. */
const afterAllOf = (kind: string): string => `${kind}~`

function openDatabase(path: string) {
  try {
    refuseCutOff(path, null)
    const database = open<RowValue, (string | number)[]>({
      path,
      encoding: 'json',
      // A commit ends after its fsync, and none begins on pages that could not be fsynced, as it would with overlapping syncs.
      overlappingSync: false,
      // With lmdb's own batches a failed commit leaves a rejected promise behind that nobody can handle, which ends the process.
      eventTurnBatching: false,
    })
    refuseCutOff(path, database)
    return database
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw notOpened(path, cause)
  }
}

function writeFormat(database: RootDatabase<RowValue, (string | number)[]>, path: string): void {
  try {
    database.putSync(FORMAT_KEY as (string | number)[], [ROWS_FORMAT])
  } catch (cause) {
    throw notOpened(path, cause)
  }
}

function notOpened(path: string, cause: unknown): Fault {
  return new Fault('counters_unavailable', `the counters in ${path} could not be opened: ${String(cause)}`, {
    canRetry: true,
    publicText: 'Counters cannot be opened at the moment; try again.',
    cause,
  })
}

function refuseCutOff(path: string, database: RootDatabase<RowValue, (string | number)[]> | null): void {
  const cutOff = findCutOffFile(path, database)
  if (cutOff !== null) throw cutOffFault(path, cutOff)
}

async function notWritten(error: unknown, path: string, onPanic: OnPanic | undefined): Promise<Fault> {
  const { cause, isFull, isPanic, text } = await lmdbFailure(error, path, 0)
  const publicText = isFull
    ? 'There is no space to keep reservations. Try again later, with the same id.'
    : 'Counters cannot be written at the moment; try again.'
  const message = `the counters in ${path} could not be written: ${text}`
  const fault = new Fault('counters_unavailable', message, { canRetry: true, publicText, cause })
  if (isPanic) onPanic?.(fault)
  return fault
}

function cutOffFault(path: string, { file, foundBytes, pagesBytes }: CutOffFile): Fault {
  const text = `the counters are cut off: ${file} has ${foundBytes} bytes and its pages take ${pagesBytes}, so reservations under way may be missing. Nothing was changed. Restore the file from a copy; or remove ${path}, which loses the reservations under way: what was used is counted again from the log`
  return new Fault('counters_truncated', text, { canRetry: false, publicText: 'Counters are damaged.' })
}

function otherFormat(path: string, found: unknown): Fault {
  const text = `the counters in ${path} have rows of format ${String(found)}, and this version reads ${ROWS_FORMAT}; start the version that wrote them; or remove the directory, which loses the reservations under way: what was used is counted again from the log`
  return new Fault('counters_unreadable', text, { canRetry: false, publicText: 'Counters are of another version.' })
}

import { type Database, open, type RootDatabase } from 'lmdb'
import { Fault } from '../../../base/fault.ts'
import type { Offset } from '../../../domain/identity.ts'
import { type CutOffFile, findCutOffFile } from '../../lmdb/lmdb-file-length.ts'
import { logUnavailable } from './lmdb-log-fault.ts'
import { offsetOfKey, recordKey } from './lmdb-record-layout.ts'

export type LmdbLogStore = {
  readonly root: RootDatabase<Buffer, Buffer>
  readonly records: Database<Buffer, Buffer>
  readonly meta: Database<number, string>
}

export const OPENING = 'opening'
const PARTITIONS = 'partitions'

export function openLogStore(path: string): LmdbLogStore {
  try {
    refuseCutOff(path, null)
    const root = open<Buffer, Buffer>({
      path,
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      // A commit ends only after its fsync, so its promise is the proof of durability; with overlapping syncs it is not.
      overlappingSync: false,
      // Batches are ours. With lmdb's own batches a failed commit leaves a rejected promise behind that nobody can handle.
      eventTurnBatching: false,
    })
    refuseCutOff(path, root)
    return {
      root,
      records: root.openDB({ name: 'records', encoding: 'binary', keyEncoding: 'binary' }),
      meta: root.openDB({ name: 'meta', encoding: 'json', keyEncoding: 'ordered-binary', useVersions: true }),
    }
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw logUnavailable(`${path} could not be opened: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** The number of partitions decides where every customer's events lie; it is written when the log is created and never changes. */
export async function checkPartitions(
  { meta }: LmdbLogStore,
  { partitions, path }: { readonly partitions: number; readonly path: string },
): Promise<void> {
  const stored = meta.get(PARTITIONS)
  if (stored === undefined) await meta.put(PARTITIONS, partitions, 1)
  else if (stored !== partitions) {
    throw new Fault(
      'log_partitions_differ',
      `The event log in ${path} was made with ${stored} partitions and cannot be opened with ${partitions}. Start with ${stored}, or with an empty directory.`,
      { canRetry: false, publicText: 'The event log is set up wrongly.' },
    )
  }
}

/**
 * Counts how often the log was opened. The write also syncs what a killed process may have committed and not synced, so that no
 * view is fed a record that a power cut could still take back.
 */
export async function nextOpening(meta: LmdbLogStore['meta']): Promise<number> {
  const opening = (meta.get(OPENING) ?? 0) + 1
  await meta.put(OPENING, opening, opening)
  return opening
}

export function endOf(records: LmdbLogStore['records'], partition: number): Offset {
  const range = {
    start: recordKey(partition, Number.MAX_SAFE_INTEGER),
    end: recordKey(partition, 0),
    inclusiveEnd: true,
    reverse: true,
    limit: 1,
  }
  for (const key of records.getKeys(range)) return (offsetOfKey(key) + 1) as Offset
  return 0 as Offset
}

/** Bytes of pages in use by records; pages that trimming freed are used again and do not count. */
export function heldBytes(records: LmdbLogStore['records']): number {
  const stats = records.getStats() as Readonly<Record<'pageSize' | 'treeBranchPageCount' | 'treeLeafPageCount' | 'overflowPages', number>>
  return (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize
}

function refuseCutOff(path: string, root: RootDatabase<Buffer, Buffer> | null): void {
  const cutOff = findCutOffFile(path, root)
  if (cutOff !== null) throw cutOffFault(cutOff)
}

function cutOffFault({ file, foundBytes, pagesBytes }: CutOffFile): Fault {
  return new Fault(
    'log_truncated',
    `The event log is cut off: ${file} has ${foundBytes} bytes and its pages take ${pagesBytes}, so events that were acknowledged may be missing. Nothing was changed. Restore the file from a copy; docs/guarantees.md says what else can be done.`,
    { canRetry: false, publicText: 'The event log is damaged.' },
  )
}

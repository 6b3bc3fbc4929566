import { statfs } from 'node:fs/promises'
import type { Fault } from '../../base/fault.ts'

export type LmdbFailure = {
  readonly cause: unknown
  readonly text: string
  readonly isFull: boolean
  /** No write of this process to the file will succeed again. */
  readonly isPanic: boolean
}
/** Told of a fault that only another process can get over. What was acknowledged is in the file. */
export type OnPanic = (fault: Fault) => void

/**
 * Why a write failed. lmdb rejects with a bare 'Commit failed' that carries a promise of the cause (left alone, that one ends
 * the process as an unhandled rejection), and reports a full disk as an I/O error: the free space tells it from a broken one.
 */
export async function lmdbFailure(error: unknown, path: string, bytes: number): Promise<LmdbFailure> {
  const carried = (error as { commitError?: Promise<never> }).commitError
  const cause: unknown = carried === undefined ? error : await carried.catch((reason: unknown) => reason)
  const disk = await statfs(path).catch(() => null)
  const freeBytes = disk === null ? Number.POSITIVE_INFINITY : disk.bavail * disk.bsize
  const { code } = (cause ?? {}) as { code?: unknown }
  const isFull = code === MDB_MAP_FULL || code === ENOSPC || freeBytes < bytes + FREE_BYTES_MIN
  const text = cause instanceof Error ? cause.message : String(cause)
  if (text.includes('MDB_PANIC')) return { cause, isFull: false, isPanic: true, text: `${text}. ${AFTER_PANIC}` }
  return { cause, isFull, isPanic: false, text: isFull ? `${text}; its disk has ${freeBytes} bytes free` : text }
}

/** LMDB says this for ever once the page that ends a commit could not be written. */
const AFTER_PANIC = 'This process cannot write the file any more; what was acknowledged is in it: start the process again'
const MDB_MAP_FULL = -30792
export const ENOSPC = 28
/** Below it a disk counts as full: what a commit writes beside its values. */
export const FREE_BYTES_MIN = 1024 * 1024

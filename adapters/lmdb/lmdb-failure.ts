import { statfs } from 'node:fs/promises'
import type { Fault } from '../../base/fault.ts'

export type LmdbFailure = {
  readonly cause: unknown
  readonly text: string
  readonly isFull: boolean
  /** True when no later write of this process to the file can succeed. */
  readonly isPanic: boolean
}
/** Called with a fault that only a new process can overcome. Acknowledged writes are in the file. */
export type OnPanic = (fault: Fault) => void

/**
 * Why a write failed. lmdb rejects with a bare 'Commit failed' that carries a promise of the cause (left alone, that promise ends
 * the process as an unhandled rejection), and reports a full disk as an I/O error: the free space tells the two apart.
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

/** LMDB's message for every write after the page that ends a commit could not be written. */
const AFTER_PANIC = 'This process cannot write the file any more; what was acknowledged is in it: start the process again'
const MDB_MAP_FULL = -30792
export const ENOSPC = 28
/** A disk with less free space counts as full: a commit writes this much beside its values. */
export const FREE_BYTES_MIN = 1024 * 1024

import { statfsSync } from 'node:fs'
import { ENOSPC, FREE_BYTES_MIN } from './lmdb-failure.ts'

/**
 * Throws while the disk has no room for a commit of `bytes`. LMDB must not find out by itself: a commit that fails half-way
 * through its pages corrupted its memory on about one of four full disks, and the process then hung.
 */
export function refuseFullDisk(path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(path)
  if (bavail * bsize < bytes + FREE_BYTES_MIN) throw Object.assign(new Error('a commit would not fit'), { code: ENOSPC })
}

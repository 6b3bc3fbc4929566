import type { InstantMs } from '../../domain/identity.ts'
import type { RandomBytes } from './database-session.ts'

/** Ids sort by the time when they were made: `sub_` + 9 characters of milliseconds + 16 random ones. */
export function createRecordId(prefix: string, nowMs: InstantMs, randomBytes: RandomBytes): string {
  return `${prefix}_${nowMs.toString(36).padStart(9, '0')}${Buffer.from(randomBytes(8)).toString('hex')}`
}

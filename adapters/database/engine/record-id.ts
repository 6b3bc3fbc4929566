import type { InstantMs } from '../../../domain/identity.ts'

export type RandomBytes = (count: number) => Uint8Array

/** Sorts by the time it was made: `sub_` + 9 characters of milliseconds + 16 of chance. */
export function createRecordId(prefix: 'key' | 'sub' | 'grant' | 'reset', nowMs: InstantMs, randomBytes: RandomBytes): string {
  return `${prefix}_${nowMs.toString(36).padStart(9, '0')}${Buffer.from(randomBytes(8)).toString('hex')}`
}

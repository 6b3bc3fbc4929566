import type { InstantMs } from '../domain/identity.ts'

/** Only the runtime reads the real one. */
export type Clock = { now(): InstantMs }

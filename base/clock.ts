import type { Brand } from './brand.ts'

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type InstantMs = Brand<number, 'InstantMs'>

/** Only the runtime reads the real one. */
export type Clock = { now(): InstantMs }

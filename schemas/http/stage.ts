import { type Static, Type } from 'typebox'
import type { HttpApp } from './common.ts'

/**
 * A part of the process with routes, work of its own, or both. All stages of a process share one life cycle: the routes of every
 * stage, then `start` in the order of the list, and at the end `drain` of every stage and `stop` of every stage, each in reverse.
 */
export type Stage = {
  /** Unique in the process; names the stage in `/readyz` and in the log. */
  readonly name: string
  /** Called once, before the start, in a scope of the server: hooks added here apply to the stage's own routes alone. */
  routes?(app: HttpApp): Promise<void>
  /** Resolves when the stage works. A rejection ends the start of the process; `stop` is called nevertheless. */
  start?(): Promise<void>
  /** Takes no new work and resolves when the work under way is done. No request arrives any more. `stop` may cut it short. */
  drain?(): Promise<void>
  /** Ends the work still under way; afterwards nothing runs and no store is used. */
  stop?(): Promise<void>
  /** A stage without this function is well as long as the process is. */
  health?(): StageHealth
}

export const StageHealthSchema = Type.Object({
  ok: Type.Boolean(),
  reasons: Type.Array(Type.String(), { description: 'What is failing now' }),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Figures of the stage, for example its lag' })),
})

/** The health of a stage in `/readyz`; a process with a stage that is not ok is not ready. */
export type StageHealth = Static<typeof StageHealthSchema>

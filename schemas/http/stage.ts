import { type Static, Type } from 'typebox'
import type { HttpApp } from './common.ts'

/**
 * A part of the process with routes, work of its own, or both. All stages of a process have one life: routes of every stage,
 * then `start` in the order of the list, and at the end `drain` of every stage and `stop` of every stage, each in reverse.
 */
export type Stage = {
  /** Unique in the process; names the stage in `/readyz` and in the log. */
  readonly name: string
  /** Called once, before the start, in a scope of the server: hooks that it adds hold for its own routes alone. */
  routes?(app: HttpApp): Promise<void>
  /** Resolves when the stage works. A rejection ends the start of the process; `stop` is called all the same. */
  start?(): Promise<void>
  /** Takes nothing more and resolves when what is under way is done. No request arrives any more. May be cut short by `stop`. */
  drain?(): Promise<void>
  /** Ends what is still under way; after it nothing runs and no store is asked. */
  stop?(): Promise<void>
  /** A stage without it is well as long as the process is. */
  health?(): StageHealth
}

export const StageHealthSchema = Type.Object({
  ok: Type.Boolean(),
  reasons: Type.Array(Type.String(), { description: 'What is failing now' }),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Figures of the stage, for example its lag' })),
})

/** What `/readyz` shows of a stage; a process whose stage is not ok is not ready. */
export type StageHealth = Static<typeof StageHealthSchema>

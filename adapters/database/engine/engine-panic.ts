import { invariant } from '../../../base/invariant.ts'

/** The write-ahead log could not be written, or a file not be fsynced: where a PostgreSQL server panics and restarts. */
export class EnginePanic extends Error {
  /** SQLSTATE io_error. */
  readonly code = '58030'
  constructor(doing: string, cause: unknown) {
    super(`the embedded catalog could not ${doing}`, { cause })
    this.name = 'EnginePanic'
  }
}

/**
 * Stops an engine at the write that fails. Left alone, the engine panics and keeps its locks, and the next statement waits for
 * them for ever, in the one thread of this process.
 */
export type PanicGuard = {
  /** Runs a call of the engine to its file system; an error of the call passes through the engine and ends it. */
  orPanic<Value>(doing: string, call: () => Value): Value
  /** From then on every call to an engine that has panicked throws. */
  watch(module: object): void
}

export function createPanicGuard(): PanicGuard {
  let panic: EnginePanic | null = null
  return {
    orPanic(doing, call) {
      try {
        return call()
      } catch (cause) {
        panic = new EnginePanic(doing, cause)
        throw panic
      }
    },
    watch(module) {
      const functions = module as Record<string, (...given: unknown[]) => unknown>
      for (const name of [...INSIDE_THE_LOOP, ...AFTER_THE_LOOP]) {
        const original = functions[name]
        invariant(original !== undefined, `PGlite calls ${name} of its engine`)
        functions[name] = (...given) => {
          if (panic === null) return original(...given)
          if (INSIDE_THE_LOOP.includes(name)) throw panic
          return undefined
        }
      }
    },
  }
}

/**
 * PGlite calls `_PostgresMainLoopOnce` again and again and drops its errors, except its own long jump: a panic gets out in
 * `stackRestore`, which is called in that very catch. The others are called in the `finally` around it.
 */
const INSIDE_THE_LOOP = ['_PostgresMainLoopOnce', 'stackRestore']
const AFTER_THE_LOOP = ['_PostgresSendReadyForQueryIfNecessary', '_pgl_pq_flush']

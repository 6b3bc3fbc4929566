import type { PGlite, Transaction } from '@electric-sql/pglite'
import type { PGliteDialectConfig } from 'kysely'
import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import { openDurablePGlite } from './durable-pglite.ts'
import { EnginePanic } from './engine-panic.ts'

/** The part of PGlite that the query builder uses. */
export type PGliteEngine = Exclude<PGliteDialectConfig['pglite'], (...given: never[]) => unknown>

export type RestartingPGlite = PGliteEngine & {
  /** Runs while no statement does: the files are as after a kill at this moment. */
  whileStill(work: () => Promise<void>): Promise<void>
}

/**
 * A PostgreSQL that cannot write its log panics: a server's processes end, restart and recover from the log. PGlite has only this
 * process, so an engine that has panicked is not used again: the next statement opens another one on the same directory, which
 * recovers as a server does. Everything committed is there.
 *
 * A statement runs in the thread of this process, and the next one begins in the same turn of the event loop, however many wait. So
 * every statement gives others their turn first: the longest stall is one statement.
 */
export async function openRestartingPGlite({ path, clock, log }: { path: string; clock: Clock; log: Logger }): Promise<RestartingPGlite> {
  /** Null from a panic until the restart. */
  let engine: PGlite | null = await openDurablePGlite(path)
  let restarting: Promise<PGlite> | null = null
  let restartNotBeforeMs = 0
  let isClosed = false

  async function running(): Promise<PGlite> {
    if (engine !== null) return engine
    restarting ??= restart().finally(() => {
      restarting = null
    })
    return await restarting
  }

  async function restart(): Promise<PGlite> {
    if (isClosed || clock.now() < restartNotBeforeMs) throw notRunning()
    restartNotBeforeMs = clock.now() + RESTART_INTERVAL_MS
    try {
      const restarted = await openDurablePGlite(path)
      engine = restarted
      log.warn({ path }, 'restarted the embedded catalog')
      return restarted
    } catch (cause) {
      log.error({ err: cause, path, retryInMs: RESTART_INTERVAL_MS }, 'embedded catalog could not be restarted')
      throw notRunning(cause)
    }
  }

  function throwOn(used: PGlite, error: unknown): never {
    if (isPanic(error) && engine === used) {
      engine = null
      log.error({ err: error, path }, 'embedded catalog panicked')
    }
    throw error
  }

  function turning(trx: Transaction): Pick<Transaction, 'query'> {
    return {
      async query(...given) {
        await clock.turn()
        return await trx.query(...given)
      },
    } as Pick<Transaction, 'query'>
  }

  return {
    ready: true,
    waitReady: Promise.resolve(),
    get closed() {
      return isClosed
    },
    async query(...given) {
      const used = await running()
      await clock.turn()
      return (await used.query(...(given as Parameters<PGlite['query']>)).catch((error: unknown) => throwOn(used, error))) as never
    },
    async transaction(work) {
      const used = await running()
      await clock.turn()
      const inTurns = (trx: Transaction) => work(turning(trx) as never)
      return (await used.transaction(inTurns).catch((error: unknown) => throwOn(used, error))) as never
    },
    async whileStill(work) {
      const used = await running()
      await used.runExclusive(work)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await engine?.close()
    },
  }
}

/** A restart takes about a second of work, which would be in vain while the disk is still full. */
const RESTART_INTERVAL_MS = 2_000

/** Errors that end a server's process: a panic, or a trap of the WebAssembly machine. */
function isPanic(error: unknown): boolean {
  const { severity, name } = (error ?? {}) as { severity?: unknown; name?: unknown }
  return error instanceof EnginePanic || severity === 'PANIC' || severity === 'FATAL' || name === 'RuntimeError'
}

/** The answer of a server that is still starting. */
function notRunning(cause?: unknown): Error {
  return Object.assign(new Error('the embedded catalog panicked and is not running again yet', { cause }), { code: '57P03' })
}

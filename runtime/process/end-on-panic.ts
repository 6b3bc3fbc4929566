import type { Logger } from 'pino'
import type { OnPanic } from '../../adapters/lmdb/lmdb-failure.ts'

/**
 * Ends this process when an embedded store can take no more writes in it: a new process can write the file, and a supervisor
 * starts one. Nothing is drained, since nothing more could be kept; acknowledged writes are on disk, as after a kill.
 */
export function endOnPanic(log: Logger): OnPanic {
  return (fault) => {
    log.fatal({ err: fault, exitCode: PANIC_EXIT_CODE }, 'process ended, to be started again')
    process.exit(PANIC_EXIT_CODE)
  }
}

/** EX_IOERR of sysexits.h. */
const PANIC_EXIT_CODE = 74

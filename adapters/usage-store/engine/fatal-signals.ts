/**
 * Gives the signals that end a process their default action back. The engine takes them over when a connection opens, to write a
 * report, and then sleeps for up to five minutes with the main thread in it: the process answers nobody, ignores SIGTERM and
 * keeps port and data directory. A process that ends at once can be restarted at once, as after kill -9.
 *
 * Removing the last listener of a signal resets its action; Node has no other call for that.
 */
export function restoreFatalSignals(): void {
  for (const signal of FATAL_SIGNALS) {
    if (process.listenerCount(signal) > 0) continue
    process.on(signal, ignore)
    process.removeListener(signal, ignore)
  }
}

const FATAL_SIGNALS = [
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGSEGV',
  'SIGSYS',
  'SIGTRAP',
  'SIGTSTP',
] as const satisfies NodeJS.Signals[]

function ignore(): void {}

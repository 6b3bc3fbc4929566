import { type ChildProcess, spawn } from 'node:child_process'

/** Runs a command until it is stopped, or the process that owns it is gone, however that ended. */
const WHILE_OWNED = `owner=$1; shift; "$@" & child=$!; trap 'kill -9 $child' TERM; while kill -0 $owner && kill -0 $child; do sleep 1; done; kill -9 $child`

/** A server of one process; SIGTERM to what is returned kills it. */
export function spawnOwned(command: string, args: readonly string[]): ChildProcess {
  return spawn('sh', ['-c', WHILE_OWNED, 'owned-process', String(process.pid), command, ...args], { stdio: 'ignore' })
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { installPackage } from '../../deploy/dev/apt.ts'
import { findCommand } from '../../deploy/dev/server-process.ts'

export type DiskFault = {
  readonly pid: number
  /** Only calls on this file or directory itself. */
  readonly path?: string
  /** System calls, and what happens to them: an error instead of the call, or a wait before it. */
  readonly calls: readonly ('fdatasync' | 'fsync' | 'pwrite64' | 'write')[]
  readonly what: { readonly error: 'EIO' | 'ENOSPC' } | { readonly delayMs: number }
}

/** Why faults cannot be injected here; null when they can. With CI=true that is a failure. As root it installs strace. */
export async function diskFaultsMissing(): Promise<string | null> {
  try {
    if ((await findCommand('strace')) === undefined) await installPackage('strace')
    execFileSync('strace', ['-qq', '-o', '/dev/null', '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO', 'true'], { stdio: 'pipe' })
    return null
  } catch (error) {
    const missing = `strace, which puts faults into system calls, does not work here: ${error instanceof Error ? error.message : String(error)}`
    if (process.env.CI === 'true') throw new Error(missing)
    return missing
  }
}

/** From when it resolves until `end` has resolved, the process meets the fault in every such call. */
export async function injectDiskFault({ pid, path, calls, what }: DiskFault): Promise<{ end(): Promise<void> }> {
  const how = 'error' in what ? `error=${what.error}` : `delay_enter=${what.delayMs * 1_000}`
  const tracer = spawn(
    'strace',
    [
      ...['-f', '-o', '/dev/null', '-p', String(pid)],
      ...(path === undefined ? [] : ['-P', path]),
      ...['-e', `trace=${calls.join(',')}`, '-e', `inject=${calls.join(',')}:${how}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const exited = once(tracer, 'exit')
  await attached(tracer)
  return {
    async end() {
      tracer.kill('SIGINT')
      await exited
    },
  }
}

async function attached(tracer: ChildProcess): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    tracer.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (/Process \d+ attached with \d+ threads|Process \d+ attached\n/.test(output)) resolve()
    })
    tracer.once('exit', (code) => reject(new Error(`strace ended with ${code}: ${output}`)))
  })
}

import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect as connectSocket, createServer } from 'node:net'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A server that outlives the command that started it; `startedAt` tells it from another process that got the same pid later. */
export type ServerProcess = { readonly pid: number; readonly startedAt: string; readonly port: number; readonly logFile: string }

export type ServerCommand = {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly port: number
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
  readonly user?: { readonly uid: number; readonly gid: number }
}

/** Starts the command in a process group of its own, output to its log file. */
export async function startServerProcess(server: ServerCommand): Promise<ServerProcess> {
  const log = openSync(server.logFile, 'a')
  const child = spawn(server.command, [...server.args], {
    cwd: server.cwd,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...server.env },
    ...server.user,
  })
  closeSync(log)
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => reject(new Error(`${server.command} could not be started: ${cause.message}`, { cause })))
  })
  child.unref()
  const pid = child.pid
  if (pid === undefined) throw new Error(`${server.command} was started without a pid`)
  return { pid, startedAt: await startTime(pid), port: server.port, logFile: server.logFile }
}

/** Polls `isUp` until it answers true. Rejects with the tail of the log when the process ends first or the time is over. */
export async function waitUntilUp(server: ServerProcess, limitMs: number, isUp: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + limitMs
  for (;;) {
    // The process must be alive first, as a foreign server on the same port would answer in its place.
    const isAlive = await isRunning(server)
    if (isAlive && (await isUp())) return
    if (!isAlive || Date.now() >= deadlineMs) {
      const reason = isAlive ? `did not answer on port ${server.port} within ${limitMs} ms` : 'ended while starting'
      throw new Error(`The server ${reason}. End of ${server.logFile}:\n${await logTail(server.logFile)}`)
    }
    await pause(100)
  }
}

/** True while this very process exists, not another one that got its pid. */
export async function isRunning(server: ServerProcess): Promise<boolean> {
  const startedAt = await startTime(server.pid)
  return startedAt !== '' && startedAt === server.startedAt
}

/** Sends `signal`, waits, then kills the process with all its children. */
export async function stopServerProcess(server: ServerProcess, signal: NodeJS.Signals, limitMs: number): Promise<void> {
  if (!(await isRunning(server))) return
  if (signal === 'SIGKILL') killGroup(server.pid)
  else process.kill(server.pid, signal)
  const deadlineMs = Date.now() + limitMs
  while (await isRunning(server)) {
    if (Date.now() >= deadlineMs) killGroup(server.pid)
    await pause(50)
  }
}

/** A port that was free a moment ago on 127.0.0.1. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

export async function isPortOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: '127.0.0.1', port, timeout: 1_000 })
    const answer = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => answer(true))
    socket.once('timeout', () => answer(false))
    socket.once('error', () => answer(false))
  })
}

/** The first of these commands or paths that can be run. */
export async function findCommand(...names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const found = await run('sh', ['-c', `command -v ${name}`]).catch(() => undefined)
    const path = found?.stdout.trim()
    if (path) return path
  }
  return undefined
}

export async function logTail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '(no log)')
  return text.trimEnd().split('\n').slice(-20).join('\n')
}

/** Empty for a pid that is gone or a zombie waiting for its parent. */
async function startTime(pid: number): Promise<string> {
  const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { env: { ...process.env, LC_ALL: 'C' } }).catch(() => ({
    stdout: '',
  }))
  const [stat = '', ...startedAt] = stdout.trim().split(/\s+/)
  return stat.startsWith('Z') ? '' : startedAt.join(' ')
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

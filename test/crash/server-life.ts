import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMPILED_ONCE } from '../support/compiled-once.ts'
import { TOLLGATE_ENTRY } from '../support/servers/tollgate-entry.ts'

export type ServerPlace = {
  readonly dataDir: string
  readonly port: number
  readonly adminKey: string
  /** The output of all lives of a run. */
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
}

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** One life of the real server, from its start to its end, however it ends. */
export type ServerLife = {
  readonly url: string
  readonly pid: number
  /** Resolves with true when it says that it is ready, and with false when it ends before. */
  readonly ready: Promise<boolean>
  readonly exited: Promise<Exit>
  /** Resolves when a line matches, or when the life is over. */
  seen(line: RegExp): Promise<void>
  kill(signal: 'SIGKILL' | 'SIGTERM'): void
  /** The end of its output. */
  output(): string
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const OUTPUT_CHARS_MAX = 20_000
/** Printed when everything works: the port is open and requests are served. */
const READY = /is ready after/

/** A run that ends with a difference leaves its servers as they are; they end with this process. */
const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export function startServerLife(place: ServerPlace, launcher: readonly string[] = []): ServerLife {
  // A mutant changes a source as it is loaded, so it needs the sources.
  const started =
    place.env?.CRASH_MUTANT === undefined
      ? [TOLLGATE_ENTRY]
      : ['--import', join(ROOT, 'test/crash/mutate.ts'), join(ROOT, 'runtime/tollgate.ts')]
  const [command = process.execPath, ...args] = [...launcher, process.execPath, ...started, 'serve']
  const child = spawn(command, args, {
    cwd: ROOT,
    env: {
      ...process.env,
      ...COMPILED_ONCE,
      TOLLGATE_HOST: '127.0.0.1',
      TOLLGATE_PORT: String(place.port),
      TOLLGATE_DATA_DIR: place.dataDir,
      TOLLGATE_ADMIN_KEY: place.adminKey,
      ...place.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  living.add(child)
  child.once('exit', () => living.delete(child))
  const log = createWriteStream(place.logFile, { flags: 'a' })
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const lines = watchLines(child, log, exited)
  child.once('close', (code, signal) => log.end(`--- ended with ${signal ?? code}\n`))
  return {
    url: `http://127.0.0.1:${place.port}`,
    pid: child.pid ?? Number.NaN,
    ready: Promise.race([lines.seen(READY).then(() => child.exitCode === null && child.signalCode === null), exited.then(() => false)]),
    exited,
    seen: lines.seen,
    kill(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    },
    output: lines.output,
  }
}

function watchLines(child: ChildProcess, log: NodeJS.WritableStream, exited: Promise<unknown>) {
  let output = ''
  const watchers = new Set<{ readonly line: RegExp; readonly resolve: () => void }>()
  const collect = (chunk: Buffer) => {
    const text = chunk.toString()
    log.write(text)
    output = (output + text).slice(-OUTPUT_CHARS_MAX)
    for (const watcher of watchers) {
      if (!watcher.line.test(text)) continue
      watchers.delete(watcher)
      watcher.resolve()
    }
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  return {
    output: () => output,
    seen: (line: RegExp) => Promise.race([new Promise<void>((resolve) => watchers.add({ line, resolve })), exited.then(() => undefined)]),
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COMPILED_ONCE } from '../compiled-once.ts'
import { fillFromPrepared } from '../prepared-directory.ts'
import { TOLLGATE_ENTRY } from './tollgate-entry.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** A start that fails ends by itself; this bounds one that hangs, even on a machine that is busy with other suites. */
const READY_WITHIN_MS = 300_000
const ADMIN_KEY = 'tg_test_admin_key_0123456789abcdef'

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: unknown; readonly text: string }

/** The real server in its own process, so that it can be killed. */
export type TollgateProcess = {
  readonly url: string
  readonly pid: number
  readonly adminKey: string
  readonly dataDir: string
  /** Sends JSON (or a raw body) with the admin key unless `headers` says otherwise. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Like `call`, but throws on any status of 400 and above. */
  ok<Body = unknown>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Body>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  output(): string
}

export type TollgateOptions = {
  readonly dataDir?: string
  readonly env?: Record<string, string>
  readonly args?: readonly string[]
  /** Where it answers plain HTTP, when `env` moves it there. */
  readonly url?: string
}

/** A new directory is filled from the prepared one, so that this start need not set it up. */
export async function startTollgate(options: TollgateOptions = {}): Promise<TollgateProcess> {
  const dataDir = options.dataDir ?? (await temporaryDirectory())
  await fillFromPrepared(dataDir, options.env)
  const port = await freePort()
  const url = options.url ?? `http://127.0.0.1:${port}`
  const child = spawn(process.execPath, [TOLLGATE_ENTRY, 'serve', ...(options.args ?? [])], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...COMPILED_ONCE,
      TOLLGATE_HOST: '127.0.0.1',
      TOLLGATE_PORT: String(port),
      TOLLGATE_DATA_DIR: dataDir,
      TOLLGATE_ADMIN_KEY: ADMIN_KEY,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-100_000)
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))

  await waitFor(async () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`tollgate ended while starting:\n${output}`)
    const answer = await fetch(`${url}/readyz`).catch(() => null)
    await answer?.body?.cancel()
    return answer?.status === 200
  }, READY_WITHIN_MS).catch(async (error: unknown) => {
    child.kill('SIGKILL')
    throw new Error(`tollgate was not ready: ${String(error)}\n${output}`)
  })

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    request(`${url}${path}`, method, body, { authorization: `Bearer ${ADMIN_KEY}`, ...headers })
  return {
    url,
    pid: child.pid ?? Number.NaN,
    adminKey: ADMIN_KEY,
    dataDir,
    call,
    async ok<Body>(method: string, path: string, body?: unknown, headers?: Record<string, string>) {
      const answer = await call(method, path, body, headers)
      if (answer.status >= 400) throw new Error(`${method} ${path} was answered ${answer.status}: ${answer.text.slice(0, 2000)}`)
      return answer.body as Body
    },
    async kill() {
      end(child, 'SIGKILL')
      await exited
    },
    async stop() {
      end(child, 'SIGTERM')
      return await exited
    },
    output: () => output,
  }
}

export type CommandResult = { readonly code: number | null; readonly output: string }

/** Runs `tollgate <args>` to its end. */
export function runTollgate(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> & { child: ChildProcess } {
  const child = spawn(process.execPath, [TOLLGATE_ENTRY, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...COMPILED_ONCE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const result = new Promise<CommandResult>((resolve) => child.once('close', (code) => resolve({ code, output })))
  return Object.assign(result, { child })
}

export async function temporaryDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'tollgate-'))
}

export async function removeDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5 })
}

/** Ends a test that hangs, and is no measure of the server: a busy machine does not reach it. */
const HOLDS_WITHIN_MS = 240_000

/** Polls until the condition holds, as tests do not sleep. `withinMs` is for a promised bound. */
export async function waitFor(condition: () => Promise<boolean>, withinMs = HOLDS_WITHIN_MS): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`the condition did not hold within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function request(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const init: RequestInit = { method, headers: body === undefined || isRaw ? headers : { 'content-type': 'application/json', ...headers } }
  if (body !== undefined) init.body = isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body)
  const response = await fetch(url, init)
  const text = await response.text()
  const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text, text }
}

function end(child: ChildProcess, signal: NodeJS.Signals) {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('no port'))
      server.close(() => resolve(address.port))
    })
  })
}

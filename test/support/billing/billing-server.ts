import { pino } from 'pino'
import type { InstantMs } from '../../../domain/identity.ts'
import { startServer } from '../../../runtime/server.ts'
import { readConfig } from '../../../runtime/settings/config.ts'
import { fillFromPrepared } from '../prepared-directory.ts'
import { type CommandResult, removeDirectory, runTollgate, temporaryDirectory } from '../servers/tollgate-process.ts'
import { createSettableClock } from '../settable-clock.ts'

const ADMIN_KEY = 'tg_test_admin_key_0123456789abcdef'

/** A whole server in this process, on embedded stores and on a clock that the test sets. It bills by hand alone. */
export async function startBillingServer(startMs: InstantMs, env: Readonly<Record<string, string>> = {}): Promise<BillingServer> {
  const dataDir = await temporaryDirectory()
  await fillFromPrepared(dataDir)
  const { clock, set } = createSettableClock(startMs)
  const { config } = readConfig({
    TOLLGATE_DATA_DIR: dataDir,
    TOLLGATE_PORT: '0',
    TOLLGATE_HOST: '127.0.0.1',
    TOLLGATE_ADMIN_KEY: ADMIN_KEY,
    ...env,
  })
  if (config === null) throw new Error('the configuration of the test is wrong')
  const server = await startServer({ config, clock, log: pino({ level: process.env.TOLLGATE_LOG_LEVEL ?? 'silent' }), version: 'test' })
  const call: BillingServer['call'] = async (method, path, body, headers = {}) => {
    const init: RequestInit = { method, headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', ...headers } }
    if (body !== undefined) init.body = JSON.stringify(body)
    const answer = await fetch(`${server.url}${path}`, init)
    const text = await answer.text()
    const isJson = /[/+]json/.test(answer.headers.get('content-type') ?? '')
    return { status: answer.status, body: isJson ? JSON.parse(text) : text }
  }
  const ok: BillingServer['ok'] = async (method, path, body) => {
    const answer = await call(method, path, body)
    if (answer.status >= 400) throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return answer.body as never
  }
  await ok('PUT', '/v1/billing-settings', { autoFinalise: false })
  let isOpen = true
  const close = async () => {
    if (!isOpen) return
    isOpen = false
    await server.stop()
  }
  return {
    ...{ call, ok, set, close, dataDir, url: server.url, key: ADMIN_KEY },
    async bill(request = {}) {
      const { id } = await ok<{ id: string }>('POST', '/v1/billing-runs', request)
      for (;;) {
        const run = await ok<Run>('GET', `/v1/billing-runs/${id}`)
        if (run.status === 'failed') throw new Error(`the run failed: ${run.detail}`)
        if (run.status === 'finished') return run
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    async verify() {
      await close()
      return await runTollgate(['bill', 'verify'], { TOLLGATE_DATA_DIR: dataDir })
    },
    async stop() {
      await close()
      await removeDirectory(dataDir)
    },
  }
}

export type Run = {
  readonly status: string
  readonly detail?: string
  readonly due: number
  readonly late: number
  readonly finalised: number
  readonly nothingDue: number
  readonly setAside: readonly { readonly subscription: string; readonly code: string; readonly detail: string }[]
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

export type BillingServer = {
  /** Moves the server's clock. */
  set(ms: InstantMs): void
  call(method: Method, path: string, body?: unknown, headers?: Record<string, string>): Promise<{ status: number; body: unknown }>
  ok<Body = unknown>(method: Method, path: string, body?: unknown): Promise<Body>
  /** One run, to its end. */
  bill(request?: object): Promise<Run>
  /** For commands that open the directory themselves. */
  close(): Promise<void>
  readonly dataDir: string
  readonly url: string
  readonly key: string
  /** Closes it and proves the whole book, as `tollgate bill verify` does. */
  verify(): Promise<CommandResult>
  /** Closes it and removes its directory. */
  stop(): Promise<void>
}

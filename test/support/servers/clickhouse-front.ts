import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../../deploy/dev/server-process.ts'

/**
 * A ClickHouse that several processes can reach over HTTP, where there is no ClickHouse server: the same engine, with the part of
 * its HTTP interface that the client speaks.
 */
export type ClickHouseFront = {
  /** The URL with a database, which is created when it does not exist. */
  url(database: string): string
  /** SIGKILL; its data stays. */
  kill(): Promise<void>
  /** Starts again on the same port and data. */
  start(): Promise<void>
  discard(): Promise<void>
}

const PASSWORD = 'tollgate-dev'

/** `config` is a configuration file of the engine, XML. */
export async function startClickHouseFront(config?: string): Promise<ClickHouseFront> {
  const dir = await mkdtemp(join(tmpdir(), 'tollgate-clickhouse-'))
  const port = await freePort()
  const configFile = join(dir, 'config.xml')
  if (config !== undefined) await writeFile(configFile, config)
  let child: ChildProcess | null = null

  async function start(): Promise<void> {
    const script = join(import.meta.dirname, '../../../deploy/dev/clickhouse-front.ts')
    const started = spawn(process.execPath, [script, dir, String(port), PASSWORD, ...(config === undefined ? [] : [configFile])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child = started
    for await (const line of createInterface({ input: started.stdout })) if (line === 'ready') return
    throw new Error('the ClickHouse front ended while starting')
  }

  async function kill(): Promise<void> {
    const running = child
    child = null
    if (running === null || running.exitCode !== null || running.signalCode !== null) return
    const exited = once(running, 'exit')
    running.kill('SIGKILL')
    await exited
  }

  await start()
  return {
    url: (database) => `http://tollgate:${PASSWORD}@127.0.0.1:${port}/${database}`,
    kill,
    start,
    async discard() {
      await kill()
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

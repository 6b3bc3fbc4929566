import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { COMPILED_ONCE } from './compiled-once.ts'
import { onceInRun, RUN_DIRECTORY } from './run-directory.ts'
import { TOLLGATE_ENTRY } from './servers/tollgate-entry.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Settings that are fixed when a directory is created, or that take a store out of it. With one of them only the catalog is copied. */
const OTHERWISE_BORN = ['TOLLGATE_CHUNK_RECORDS', 'TOLLGATE_PARTITIONS', 'KAFKA_BROKERS', 'CLICKHOUSE_URL', 'REDIS_URL']
const PARTS = ['catalog', 'event-log', 'usage-store', 'counters']

/**
 * Fills a new data directory with what a first start leaves in it: setting up the embedded database is most of the cost of a
 * start. One first start in a run serves all that copy it; a directory that is not empty stays as it is.
 */
export async function fillFromPrepared(dataDir: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  if (env.DATABASE_URL !== undefined || (await hasEntries(dataDir))) return
  const prepared = await preparedDirectory()
  const isOtherwiseBorn = OTHERWISE_BORN.some((name) => env[name] !== undefined)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  // The asynchronous copy of more than a thousand files takes a second of processor time, this one a tenth of it.
  for (const part of isOtherwiseBorn ? ['catalog'] : PARTS) cpSync(join(prepared, part), join(dataDir, part), { recursive: true })
}

/** Copies only the embedded catalog of such a directory, migrated and empty. */
export async function copyPreparedCatalog(path: string): Promise<void> {
  cpSync(join(await preparedDirectory(), 'catalog'), path, { recursive: true })
}

function preparedDirectory(): Promise<string> {
  return onceInRun('prepared', async () => {
    const dataDir = join(RUN_DIRECTORY, 'prepared')
    const env = {
      TOLLGATE_DATA_DIR: dataDir,
      TOLLGATE_HOST: '127.0.0.1',
      TOLLGATE_PORT: '0',
      TOLLGATE_ADMIN_KEY: 'tg_first_start_0123456789abcdef',
    }
    const server = spawn(process.execPath, [TOLLGATE_ENTRY, 'serve'], {
      cwd: ROOT,
      env: { ...process.env, ...COMPILED_ONCE, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const exited = once(server, 'exit')
    let output = ''
    server.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    for await (const line of createInterface({ input: server.stdout })) {
      output += `${line}\n`
      if (line.includes('is ready after')) server.kill('SIGTERM')
    }
    const [code] = await exited
    if (code !== 0) throw new Error(`the first start ended with ${code}:\n${output}`)
    return dataDir
  })
}

async function hasEntries(directory: string): Promise<boolean> {
  return await readdir(directory).then(
    (entries) => entries.length > 0,
    () => false,
  )
}

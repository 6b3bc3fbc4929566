import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { installPackage } from './apt.ts'
import { findCommand, freePort, isRunning, startServerProcess, waitUntilUp } from './server-process.ts'
import type { DevServer } from './servers.ts'

const run = promisify(execFile)
const START_LIMIT_MS = 60_000
const PASSWORD = 'tollgate-dev'

/** Starts a PostgreSQL with a database `tollgate` in `dir`. It requires a password, so that a wrong one can be tested. */
export async function startPostgres(dir: string, before: DevServer | undefined): Promise<DevServer> {
  const bin = await postgresBin()
  const home = join(dir, 'postgres')
  const data = join(home, 'data')
  const user = await unprivilegedUser()
  await mkdir(home, { recursive: true })
  if (user !== undefined) {
    await chown(home, user.uid, user.gid)
    await chmod(dir, 0o711)
  }
  const as = { ...user, cwd: home, timeout: START_LIMIT_MS }
  if (!existsSync(data)) {
    const passwordFile = join(home, 'password')
    await writeFile(passwordFile, PASSWORD, { mode: 0o644 })
    const options = ['-U', 'tollgate', '--pwfile', passwordFile, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C', '--no-sync']
    await run(join(bin, 'initdb'), ['-D', data, ...options], as)
  }
  const portFile = join(home, 'port')
  const port = existsSync(portFile) ? Number(await readFile(portFile, 'utf8')) : await freePort()
  await writeFile(portFile, String(port))

  const running = before?.processes[0]
  const isUp = running !== undefined && (await isRunning(running))
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${home}`, 'shared_buffers=64MB']
  const process = isUp
    ? running
    : await startServerProcess({
        command: join(bin, 'postgres'),
        args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
        cwd: home,
        port,
        logFile: join(dir, 'postgres.log'),
        ...(user === undefined ? {} : { user }),
      })
  const ready = () =>
    run(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]).then(
      () => true,
      () => false,
    )
  await waitUntilUp(process, START_LIMIT_MS, ready)
  const psql = (database: string, sql: string) =>
    run(join(bin, 'psql'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'tollgate', '-d', database, '-tAc', sql], {
      env: { ...globalThis.process.env, PGPASSWORD: PASSWORD },
      timeout: START_LIMIT_MS,
    })
  const found = await psql('postgres', "SELECT 1 FROM pg_database WHERE datname = 'tollgate'")
  if (found.stdout.trim() === '') await psql('postgres', 'CREATE DATABASE tollgate')
  const version = (await psql('postgres', 'SHOW server_version')).stdout.trim()
  return {
    name: 'postgres',
    url: `postgres://tollgate:${PASSWORD}@127.0.0.1:${port}/tollgate`,
    version: `PostgreSQL ${version}`,
    processes: [process],
  }
}

async function postgresBin(): Promise<string> {
  const found = await findPostgresBin()
  if (found !== undefined) return found
  await installPackage('postgresql')
  const installed = await findPostgresBin()
  if (installed === undefined) throw new Error('not available: the package `postgresql` has no `initdb`')
  return installed
}

async function findPostgresBin(): Promise<string | undefined> {
  const onPath = await findCommand('pg_config')
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? (await readdir(debian)).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(onPath === undefined ? [] : [dirname(onPath)])]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

/** PostgreSQL refuses to run as root; it then runs as the user that its package created, or as nobody. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]).catch(() => undefined)
    if (ids !== undefined) return { uid: Number(ids[0].stdout), gid: Number(ids[1].stdout) }
  }
  throw new Error('not available: root may not run PostgreSQL, and there is neither a user `postgres` nor `nobody`')
}

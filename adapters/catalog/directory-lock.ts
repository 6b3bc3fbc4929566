import { createHash } from 'node:crypto'
import { mkdir, realpath, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '../../domain/fault.ts'

export type DirectoryLock = { release(): Promise<void> }

/**
 * Holds a directory for this process until it ends, however it ends: the lock is a listening socket, which the system
 * closes with the process, so a kill -9 leaves nothing to clear away by hand. It lies in the temporary directory as the
 * path of a socket may have about 100 characters only. Two machines or containers that share the directory do not see each other.
 */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  await mkdir(path, { recursive: true })
  const name = createHash('sha256')
    .update(await realpath(path))
    .digest('hex')
    .slice(0, 24)
  const socketPath = process.platform === 'win32' ? `\\\\.\\pipe\\tollgate-${name}` : join(tmpdir(), `tollgate-${name}.lock`)
  const server = (await listen(socketPath)) ?? (await replaceStaleSocket(socketPath))
  if (server === null) {
    throw new Fault('catalog_locked', `the catalog directory ${path} is held by another process`, {
      canRetry: false,
      publicText: 'The catalog is held by another process. Stop that one, or set DATABASE_URL so that several can share a PostgreSQL.',
    })
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** A socket that nobody answers on was left by a process that was killed. */
async function replaceStaleSocket(socketPath: string): Promise<Server | null> {
  if (await hasListener(socketPath)) return null
  await rm(socketPath, { force: true })
  return await listen(socketPath)
}

/** Null when the path is taken. */
function listen(socketPath: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)))
    server.listen(socketPath, () => {
      server.unref()
      resolve(server)
    })
  })
}

function hasListener(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socketPath)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })
}

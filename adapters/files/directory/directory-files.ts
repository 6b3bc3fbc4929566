import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '../../../base/fault.ts'
import { invariant } from '../../../base/invariant.ts'
import type { FileName, FileStore } from '../files.ts'

/**
 * Files in a directory. Bytes go to a temporary name, are synced, and take their name in one step, so that a crash leaves a whole file
 * or one that nobody refers to. What a crash left under a temporary name is removed at the next start.
 */
export async function openDirectoryFiles(path: string): Promise<FileStore> {
  const unfinished = join(path, 'unfinished')
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true, mode: 0o700 })
  const pathOf = ({ tenant, id }: FileName) => {
    invariant(/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(tenant) && /^[A-Za-z0-9_-]+$/.test(id), 'names of files are of our making')
    return join(path, `of-${tenant}`, id)
  }
  return {
    async put(name, bytes) {
      const temporary = join(unfinished, randomUUID())
      const target = pathOf(name)
      try {
        await write(temporary, bytes)
        await mkdir(join(target, '..'), { recursive: true, mode: 0o700 })
        await rename(temporary, target)
        await sync(join(target, '..'))
      } catch (error) {
        await rm(temporary, { force: true })
        throw isOfDisk(error) ? unavailable(error) : error
      }
    },
    async get(name, range) {
      const target = pathOf(name)
      const known = await stat(target).catch(() => null)
      if (known === null) return null
      // The end of a stream is inclusive.
      return createReadStream(target, range === undefined ? {} : { start: range.from, end: range.to - 1 })
    },
    link: async () => null,
    remove: (name) => rm(pathOf(name), { force: true }),
    stop: async () => undefined,
  }
}

async function write(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of bytes) {
      let at = 0
      while (at < chunk.length) at += (await file.write(chunk, at)).bytesWritten
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The new name of a file is durable with its directory. */
async function sync(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isOfDisk(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

function unavailable(cause: unknown): Fault {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new Fault('files_unavailable', `a file could not be stored: ${why}`, {
    canRetry: true,
    publicText: 'The file could not be stored, and nothing of it is kept; try again.',
    cause,
  })
}

import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogRecord } from '../event-log.ts'

/** Writes a record and the reason for keeping it to `<directory>/<partition>-<offset>.avro` and `.txt`; synced to disk when it resolves. */
export async function writeRecordFiles(
  directory: string,
  { partition, offset, receivedAtMs, value }: LogRecord,
  reason: string,
): Promise<void> {
  await mkdir(directory, { recursive: true })
  const path = join(directory, `${partition}-${offset}`)
  await writeSynced(`${path}.avro`, value)
  await writeSynced(`${path}.txt`, `received at ${new Date(receivedAtMs).toISOString()}\n${reason}\n`)
  await syncDirectory(directory)
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The names of new files become durable with their directory. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

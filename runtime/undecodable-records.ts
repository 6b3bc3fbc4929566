import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogRecord } from '../adapters/event-log/event-log.ts'

/**
 * Keeps records that cannot be decoded as files, for a person to look at: the log may let go of them. The same record
 * may come again after a crash and is then written again, the same.
 */
export function keepUndecodableRecords(directory: string): (record: LogRecord, reason: string) => Promise<void> {
  return async ({ partition, offset, receivedAtMs, value }, reason) => {
    const path = join(directory, `${partition}-${offset}`)
    await mkdir(directory, { recursive: true })
    await writeFile(`${path}.avro`, value)
    await writeFile(`${path}.txt`, `received at ${new Date(receivedAtMs).toISOString()}\n${reason}\n`)
  }
}

import { crc32 } from 'node:zlib'
import { Fault } from '../../../base/fault.ts'
import type { InstantMs, Offset, Partition } from '../../../domain/identity.ts'
import type { LogRecord } from '../event-log.ts'

/** Sorts by partition, then offset: 4 + 8 bytes, big-endian. */
export function recordKey(partition: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES)
  key.writeUInt32BE(partition, 0)
  key.writeUIntBE(Math.floor(offset / 2 ** 32), 4, 4)
  key.writeUInt32BE(offset % 2 ** 32, 8)
  return key
}

export function offsetOfKey(key: Buffer): Offset {
  return (key.readUInt32BE(4) * 2 ** 32 + key.readUInt32BE(8)) as Offset
}

/** Time of receipt (float64), CRC-32 of the value, the value. LMDB has no checksum of its own: a flipped bit would be billed. */
export function storedRecord(value: Uint8Array, receivedAtMs: InstantMs): Buffer {
  // Not from the shared pool: the write thread reads it by address, after this call has returned.
  const stored = Buffer.allocUnsafeSlow(PREFIX_BYTES + value.byteLength)
  stored.writeDoubleBE(receivedAtMs, 0)
  stored.writeUInt32BE(crc32(value), 8)
  stored.set(value, PREFIX_BYTES)
  return stored
}

export function receivedAtOf(stored: Buffer): InstantMs {
  return stored.readDoubleBE(0) as InstantMs
}

export function valueOfStored(stored: Buffer): Uint8Array {
  return stored.subarray(PREFIX_BYTES)
}

export function recordOf(partition: Partition, offset: Offset, stored: Buffer): LogRecord {
  if (stored.length < PREFIX_BYTES) throw corrupt(partition, offset, `only ${stored.length} bytes`)
  const value = valueOfStored(stored)
  if (crc32(value) !== stored.readUInt32BE(8)) throw corrupt(partition, offset, `${value.length} bytes that do not match their checksum`)
  return { partition, offset, receivedAtMs: receivedAtOf(stored), value }
}

const KEY_BYTES = 12
const PREFIX_BYTES = 12

function corrupt(partition: Partition, offset: Offset, what: string): Fault {
  return new Fault(
    'log_corrupt',
    `The event log holds ${what} at partition ${partition}, offset ${offset}. Check the disk and restore the data directory from a backup.`,
    { canRetry: false, publicText: 'The event log is damaged.' },
  )
}

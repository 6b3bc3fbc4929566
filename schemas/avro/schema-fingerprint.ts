import type { Type } from 'avsc'

/**
 * CRC-64-AVRO of the schema's parsing canonical form, which names a writer's schema in single-object encoding. Source: Apache
 * Avro specification 1.11, "Schema Fingerprints".
 */
export function schemaFingerprint(type: Type): bigint {
  // avsc's `schema()` without options is the parsing canonical form: full names, keys in order, no docs and no defaults.
  return crc64Of(new TextEncoder().encode(JSON.stringify(type.schema())))
}

const EMPTY = 0xc15d213aa4d7a795n
const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let entry = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ (entry & 1n ? EMPTY : 0n)
  return entry
})

function crc64Of(bytes: Uint8Array): bigint {
  let crc = EMPTY
  for (const byte of bytes) crc = (crc >> 8n) ^ (TABLE[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n)
  return crc
}

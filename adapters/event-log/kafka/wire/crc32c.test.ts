import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'

test.each([
  { bytes: Buffer.from('123456789'), checksum: 0xe3069283 },
  { bytes: Buffer.alloc(32), checksum: 0x8a9136aa },
  { bytes: Buffer.alloc(32, 0xff), checksum: 0x62a8ab43 },
  { bytes: Buffer.from(Array.from({ length: 32 }, (_, at) => at)), checksum: 0x46dd794e },
])('the checksum is the one of RFC 3720, appendix B.4: $checksum', ({ bytes, checksum }) => {
  expect(crc32c(bytes)).toBe(checksum)
})

test('is the same for bytes in front of which others stand', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 20 }), (bytes, before) => {
      expect(crc32c(Buffer.concat([before, bytes]), before.length)).toBe(byteByByte(bytes))
    }),
  )
})

function byteByByte(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

import zlib from 'node:zlib'
import { expect, test } from 'vitest'
import { INGEST_BOUNDS } from '../ingest-bounds.ts'
import { DECODER_MEMORY_MAX, decoderMemory } from './decoder-memory.ts'

const MiB = 2 ** 20
const text = Buffer.alloc(40_000, 'usage ')
const brotli = (windowBits: number) => zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_LGWIN]: windowBits } })

test.each(Array.from({ length: 15 }, (_, n) => n + 10))('brotli with a window of 2^%i bytes', (windowBits) => {
  expect(decoderMemory('br', brotli(windowBits))).toBe(2 ** windowBits + MiB)
})

test('what asks for the largest window of brotli is what a decoder takes at most', () => {
  expect(decoderMemory('br', Buffer.from([0x0f]))).toBe(DECODER_MEMORY_MAX)
  // Tenant, key and connection count beside the server.
  expect(INGEST_BOUNDS.decoderBytes.most).toBeGreaterThanOrEqual(4 * DECODER_MEMORY_MAX)
  for (let first = 0; first < 256; first++) expect(decoderMemory('br', Buffer.from([first]))).toBeLessThanOrEqual(DECODER_MEMORY_MAX)
  expect(decoderMemory('br', Buffer.alloc(0))).toBeLessThanOrEqual(DECODER_MEMORY_MAX)
})

test('a window of brotli beyond 16 MiB is not read at all', () => {
  const large = zlib.brotliCompressSync(text, {
    params: { [zlib.constants.BROTLI_PARAM_LARGE_WINDOW]: 1, [zlib.constants.BROTLI_PARAM_LGWIN]: 30 },
  })
  expect(() => zlib.brotliDecompressSync(large, { params: { [zlib.constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 } })).toThrow()
})

test('zstd: the window of a frame, its content where that is the window, and 8 MiB at most', () => {
  const asking = (window: number) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, window, ...Array(20).fill(0)])
  expect(decoderMemory('zstd', asking(0x50))).toBe(2 * MiB)
  expect(decoderMemory('zstd', asking(0x54))).toBe(1.5 * MiB + MiB)
  expect(decoderMemory('zstd', zlib.zstdCompressSync(text, { pledgedSrcSize: text.length }))).toBe(text.length + MiB)
  const huge = asking(0xff)
  expect(decoderMemory('zstd', huge)).toBe(9 * MiB)
  expect(decoderMemory('zstd', Buffer.from('no zstd at all, but long enough'))).toBe(MiB)
  expect(decoderMemory('zstd', huge.subarray(0, 5))).toBe(MiB)
})

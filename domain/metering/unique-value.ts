import { textHash128 } from '../../base/text-hash.ts'

/**
 * What a meter that counts unique values keeps of one: up to 32 bytes the value itself, else `#` and 128 bits of its SHA-256,
 * which is 33 bytes and so no value that is kept as it is. Windows, counters, and whoever counts events come to the same.
 *
 * Two values would have to share 128 bits to count as one. Among a billion values of a period the chance is 2^-69; and since
 * whoever sends the values may gain from a count that is too low, the hash is one in which nobody finds two by trying less than
 * 2^64 times. A faster hash without that promise (MurmurHash, xxHash, MD5) would let them.
 */
export function uniqueValue(text: string): string {
  return byteLength(text) > KEPT_BYTES_MAX ? `#${textHash128(text)}` : text
}

export const KEPT_BYTES_MAX = 32

/** No more than is needed to know that there are too many. */
function byteLength(text: string): number {
  if (text.length > KEPT_BYTES_MAX || text.length * 3 <= KEPT_BYTES_MAX) return text.length
  return Buffer.byteLength(text)
}

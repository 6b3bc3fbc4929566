/** Numbers of a few bits each, packed into words of 32, and what can be asked of one word. */

/** Up to 30 bits, those in `mask`. Positions stay below 2^32: the more keys, the fewer bits each. */
export function bitsAt(words: Uint32Array, position: number, mask: number): number {
  const index = position >>> 5
  const from = position & 31
  // Two shifts, as a shift by 32 would be one by 0.
  return (((words[index] ?? 0) >>> from) | (((words[index + 1] ?? 0) << 1) << (31 - from))) & mask
}

export function putBits(words: Uint32Array, position: number, value: number): void {
  const index = position >>> 5
  const from = position & 31
  words[index] = (words[index] ?? 0) | (value << from)
  words[index + 1] = (words[index + 1] ?? 0) | ((value >>> 1) >>> (31 - from))
}

export function bitAt(words: Uint32Array, position: number): number {
  return ((words[position >>> 5] ?? 0) >>> (position & 31)) & 1
}

export function onesIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const quads = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((quads + (quads >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** Place of the nth zero, counted from the lowest bit and from 1; the word has at least n. By halves, without a branch to mispredict. */
export function placeOfZero(word: number, nth: number): number {
  const zeros = ~word
  const inPairs = zeros - ((zeros >>> 1) & 0x55555555)
  const inQuads = (inPairs & 0x33333333) + ((inPairs >>> 2) & 0x33333333)
  const inBytes = (inQuads + (inQuads >>> 4)) & 0x0f0f0f0f
  let left = nth
  let count = (inBytes & 0xff) + ((inBytes >>> 8) & 0xff)
  let isAbove = (count - left) >> 31
  left -= count & isAbove
  let place = isAbove & 16
  count = (inBytes >>> place) & 0xff
  isAbove = (count - left) >> 31
  left -= count & isAbove
  place += isAbove & 8
  count = (inQuads >>> place) & 0xf
  isAbove = (count - left) >> 31
  left -= count & isAbove
  place += isAbove & 4
  count = (inPairs >>> place) & 0x3
  isAbove = (count - left) >> 31
  left -= count & isAbove
  place += isAbove & 2
  count = (zeros >>> place) & 1
  isAbove = (count - left) >> 31
  return place + (isAbove & 1)
}

export function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}

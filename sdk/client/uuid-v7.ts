/**
 * A UUID of version 7: the milliseconds of now, then 74 random bits. Ids made together are stored together, where random ones
 * cost a page each. (`crypto.randomUUID` makes none of version 7, and is missing on pages served over plain HTTP.)
 */
export function uuidV7(nowMs = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  new DataView(bytes.buffer).setUint32(0, Math.floor(nowMs / 2 ** 16))
  new DataView(bytes.buffer).setUint16(4, nowMs % 2 ** 16)
  const hex = [...bytes].map((byte, index) => {
    const marked = index === 6 ? (byte & 0x0f) | 0x70 : index === 8 ? (byte & 0x3f) | 0x80 : byte
    return marked.toString(16).padStart(2, '0')
  })
  const part = (from: number, to: number) => hex.slice(from, to).join('')
  return `${part(0, 4)}-${part(4, 6)}-${part(6, 8)}-${part(8, 10)}-${part(10, 16)}`
}

/** Slots of a cluster that one node serves, both ends included; `host` is host:port. */
export type SlotRange = { readonly first: number; readonly last: number; readonly host: string }

/**
 * The slot of a key: computed from the text in its first braces, if there is any.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 */
export function clusterSlotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return crc16(Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)) % SLOTS
}

/** Reads the answer to CLUSTER SLOTS; a node that does not know its own address is the one that was asked. */
export function readSlotRanges(answer: unknown, askedHost: string): SlotRange[] {
  return (answer as [number, number, [string | null, number]][]).map(([first, last, [host, port]]) => ({
    first,
    last,
    host: host === null || host === '' ? askedHost : `${host.includes(':') ? `[${host}]` : host}:${port}`,
  }))
}

const SLOTS = 16_384

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}

import type { CustomerKey, Partition, TenantKey } from '../identity.ts'

const encoder = new TextEncoder()
const C1 = 0xcc9e2d51
const C2 = 0x1b873593

/**
 * The partition that holds all events of one customer: murmur3-32 (seed 0) of the UTF-8 of tenant, NUL, customer, modulo the
 * number of partitions. It may never change: the log of every installation is laid out by it.
 */
export function partitionOf(tenant: TenantKey, customer: CustomerKey, partitions: number): Partition {
  return partitionOfHash(customerHash(tenant, customer), partitions)
}

/** The same from a hash that is known already. */
export function partitionOfHash(customerHash: number, partitions: number): Partition {
  return (customerHash % partitions) as Partition
}

/** The 32-bit hash described above. */
export function customerHash(tenant: TenantKey, customer: CustomerKey): number {
  return hashOfAscii(tenant, customer) ?? murmur3Of(encoder.encode(`${tenant}\0${customer}`))
}

/** MurmurHash3_x86_32 by Austin Appleby (public domain), seed 0. */
export function murmur3Of(bytes: Uint8Array): number {
  let hash = 0
  let word = 0
  for (let at = 0; at < bytes.length; at++) {
    word |= (bytes[at] ?? 0) << ((at & 3) << 3)
    if ((at & 3) === 3) {
      hash = mixedIn(hash, word)
      word = 0
    }
  }
  return finished(hash, word, bytes.length)
}

/** The same without encoding, as nearly all keys are ASCII; undefined when these are not. */
function hashOfAscii(tenant: string, customer: string): number | undefined {
  const tenantLength = tenant.length
  const length = tenantLength + 1 + customer.length
  let hash = 0
  let word = 0
  for (let at = 0; at < length; at++) {
    const char = at < tenantLength ? tenant.charCodeAt(at) : at === tenantLength ? 0 : customer.charCodeAt(at - tenantLength - 1)
    if (char > 127) return undefined
    word |= char << ((at & 3) << 3)
    if ((at & 3) === 3) {
      hash = mixedIn(hash, word)
      word = 0
    }
  }
  return finished(hash, word, length)
}

function mixedIn(hash: number, word: number): number {
  const mixed = hash ^ scrambled(word)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function scrambled(word: number): number {
  const product = Math.imul(word, C1)
  return Math.imul((product << 15) | (product >>> 17), C2)
}

/** `tail` holds the bytes after the last whole word; without any it is 0, which scrambles to 0. */
function finished(hash: number, tail: number, byteLength: number): number {
  let result = hash ^ scrambled(tail) ^ byteLength
  result = Math.imul(result ^ (result >>> 16), 0x85ebca6b)
  result = Math.imul(result ^ (result >>> 13), 0xc2b2ae35)
  return (result ^ (result >>> 16)) >>> 0
}

import { crc32 } from 'node:zlib'
import type { KeyKind } from '../../../domain/principal.ts'

/**
 * The text of a new key: `tg_sk_` or `tg_pk_`, 43 letters and digits for 256 random bits, and 6 for a CRC-32 of everything
 * before. Secret scanners find it by its beginning, and a mistyped or made-up key is recognised without a look-up.
 */
export function keyText(kind: KeyKind, chance: Uint8Array): string {
  const body = `${PREFIXES[kind]}${base62(BigInt(`0x${Buffer.from(chance).toString('hex')}`), CHANCE_CHARACTERS)}`
  return `${body}${checksum(body)}`
}

/** True for a text that begins as our keys do but cannot be one. */
export function isBrokenKeyText(text: string): boolean {
  if (!text.startsWith(PREFIXES.secret) && !text.startsWith(PREFIXES.publishable)) return false
  if (OLDER_KEY.test(text)) return false
  const body = text.slice(0, -CHECKSUM_CHARACTERS)
  return text.length !== KEY_CHARACTERS || checksum(body) !== text.slice(-CHECKSUM_CHARACTERS)
}

export const KEY_CHANCE_BYTES = 32
const PREFIXES = { secret: 'tg_sk_', publishable: 'tg_pk_' } as const satisfies Record<KeyKind, string>
const CHANCE_CHARACTERS = 43
const CHECKSUM_CHARACTERS = 6
const KEY_CHARACTERS = PREFIXES.secret.length + CHANCE_CHARACTERS + CHECKSUM_CHARACTERS
/** Older keys are `tg_` and 43 characters of any kind; a few begin like the newer ones by chance, and stay valid. */
const OLDER_KEY = /^tg_[A-Za-z0-9_-]{43}$/

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_CHARACTERS)
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function base62(value: bigint, characters: number): string {
  let text = ''
  for (let rest = value; rest > 0n; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text
  return text.padStart(characters, '0')
}

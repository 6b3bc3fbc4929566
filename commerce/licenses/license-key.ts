import { hash } from 'node:crypto'
import { COMMERCE_BOUNDS } from '../commerce-bounds.ts'

/**
 * `blocks`: 26 characters of Crockford's base 32, which are 130 random bits, and 4 that check them. `uuid`: version 4. The body is
 * what identifies the key: without prefix, blanks and dashes.
 */
export type LicenseKey = { readonly text: string; readonly body: string; readonly lastFour: string }

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BODY_CHARACTERS = 26
const CHECK_CHARACTERS = 4
const BLOCK_CHARACTERS = 5
const LICENSE_KEY_CHARACTERS_MAX = COMMERCE_BOUNDS.licenseKey.most
/** Bytes of chance that a key needs. */
export const LICENSE_KEY_BYTES = 26

export function blocksKey(chance: Uint8Array, prefix: string | undefined): LicenseKey {
  // Five bits of each byte, so that every character has the same chance.
  const body = Array.from(chance.subarray(0, BODY_CHARACTERS), (byte) => ALPHABET[byte & 31]).join('')
  const whole = body + checkOf(body)
  const blocks = Array.from({ length: Math.floor(whole.length / BLOCK_CHARACTERS) }, (_, at) =>
    whole.slice(at * BLOCK_CHARACTERS, (at + 1) * BLOCK_CHARACTERS),
  )
  return { text: [...(prefix === undefined ? [] : [prefix]), ...blocks].join('-'), body, lastFour: whole.slice(-4) }
}

export function uuidKey(chance: Uint8Array): LicenseKey {
  const bytes = Buffer.from(chance.subarray(0, 16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const body = bytes.toString('hex')
  const text = [body.slice(0, 8), body.slice(8, 12), body.slice(12, 16), body.slice(16, 20), body.slice(20)].join('-')
  return { text, body, lastFour: body.slice(-4) }
}

/** The key as it was typed: without regard to case, blanks, dashes, O for 0, I and L for 1. Null where its check is wrong, which needs no look-up. */
export function readLicenseKey(typed: string): Pick<LicenseKey, 'body' | 'lastFour'> | null {
  if (typed.length > LICENSE_KEY_CHARACTERS_MAX) return null
  const bare = typed.replaceAll(/[\s-]/g, '')
  if (/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/i.test(bare)) {
    const body = bare.toLowerCase()
    return { body, lastFour: body.slice(-4) }
  }
  const whole = bare
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1')
    .slice(-(BODY_CHARACTERS + CHECK_CHARACTERS))
  const body = whole.slice(0, BODY_CHARACTERS)
  if (whole.length < BODY_CHARACTERS + CHECK_CHARACTERS || whole.slice(BODY_CHARACTERS) !== checkOf(body)) return null
  return { body, lastFour: whole.slice(-4) }
}

/** The first 20 bits of the SHA-256 of the body. */
function checkOf(body: string): string {
  const bits = Number.parseInt(hash('sha256', body).slice(0, 5), 16)
  return [15, 10, 5, 0].map((shift) => ALPHABET[(bits >> shift) & 31]).join('')
}

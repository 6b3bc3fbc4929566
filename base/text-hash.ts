import { hash } from 'node:crypto'

/** The first 128 bits of the SHA-256 of a text's UTF-8, as 32 hexadecimal digits. */
export function textHash128(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32)
}

import { domainToASCII } from 'node:url'
import { type Outcome, refuseFields } from '../../domain/refusal.ts'

export const EMAIL_BYTES_MAX = 254

/** An address as it was typed, and as it is compared: without blanks around it, NFC, its domain by IDNA, lower case. */
export type Email = { readonly typed: string; readonly compared: string }

/** Refuses `invalid_email`. An address is a claim until its owner has proved it. */
export function readEmail(given: string): Outcome<Email> {
  const typed = given.trim().normalize('NFC')
  const [name = '', host = '', ...rest] = typed.split('@')
  const domain = domainToASCII(host)
  const isWrong =
    Buffer.byteLength(typed) > EMAIL_BYTES_MAX || /[\p{C}\s]/u.test(typed) || rest.length > 0 || name === '' || host === '' || domain === ''
  if (!isWrong) return { typed, compared: `${name}@${domain}`.toLowerCase() }
  const detail = `email must be an address with one @, at most ${EMAIL_BYTES_MAX} bytes and no control characters`
  return refuseFields('invalid_email', [{ field: 'email', code: 'invalid_email', detail }])
}

/** The address without `+…`: what a person can make any number of for itself is still one person. */
export function personOf({ compared }: Email): string {
  const [name = '', domain = ''] = compared.split('@')
  return `${name.split('+', 1)[0]}@${domain}`
}

import type { ByteRange } from '../../adapters/files/files.ts'

/**
 * The one range that a request asks for, half-open; null for the whole file, which is also answered for several ranges and for what is
 * no range (RFC 9110, 14.2); `unsatisfiable` for one beyond the end.
 */
export function readRange(header: string | undefined, bytes: number): ByteRange | null | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = match ?? []
  if (first === '' && last === '') return null
  if (first === '') {
    const count = Number(last)
    return count === 0 ? 'unsatisfiable' : { from: Math.max(0, bytes - count), to: bytes }
  }
  const from = Number(first)
  const to = last === '' ? bytes : Math.min(bytes, Number(last) + 1)
  if (last !== '' && Number(last) < from) return null
  return from >= bytes ? 'unsatisfiable' : { from, to }
}

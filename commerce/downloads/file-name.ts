import { type Outcome, refuseFields } from '../../domain/refusal.ts'

const FILE_NAME_BYTES_MAX = 255

/** A name that a browser can save under. Refuses `invalid_filename`. */
export function readFileName(given: string): Outcome<string> {
  const name = given.normalize('NFC')
  const isWrong =
    name === '' ||
    Buffer.byteLength(name) > FILE_NAME_BYTES_MAX ||
    /[\p{C}\u2028\u2029/\\]/u.test(name) ||
    name.includes('..') ||
    name !== name.trim() ||
    name === '.'
  if (!isWrong) return name
  const detail = `filename must have 1 to ${FILE_NAME_BYTES_MAX} bytes and no control characters, slashes, backslashes, or ..`
  return refuseFields('invalid_filename', [{ field: 'filename', code: 'invalid_filename', detail }])
}

/** RFC 6266: a plain name for all, and the whole one for those that read it. */
export function dispositionOf(filename: string): string {
  const plain = filename.replaceAll(/[^\x20-\x7e]|["%\\]/g, '_')
  const encoded = encodeURIComponent(filename).replaceAll(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

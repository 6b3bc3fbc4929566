import { Readable } from 'node:stream'
import { RefusalError, refuse, refuseField } from '../../domain/refusal.ts'
import type { HttpApp } from './common.ts'

const FIELD_CHARACTERS_MAX = 200

/** Runs `refuseUnstorableText` on every body of the app's routes. */
export function refuseUnstorableBodies(app: HttpApp): void {
  app.addHook('preValidation', async (request) => {
    // What is streamed is bytes.
    if (!request.hasPlainBody && !(request.body instanceof Readable)) refuseUnstorableText(request.body)
  })
}

/** PostgreSQL stores no NUL, and half of a surrogate pair is no text: refused here, by name, before it is lost or fails later. */
export function refuseUnstorableText(body: unknown): void {
  const found = findUnstorable(body, '')
  if (found === null) return
  const field = found.slice(0, FIELD_CHARACTERS_MAX).toWellFormed().replaceAll('\0', '\\0') || 'body'
  throw new RefusalError(refuseField(field, refuse('invalid_text', { field })))
}

/** The path of the first such string or property name. Depth and size of every body are bounded before. */
function findUnstorable(value: unknown, field: string): string | null {
  if (typeof value === 'string') return isStorable(value) ? null : field
  if (Array.isArray(value)) return firstOf(value.map((item, index) => [`${field}[${index}]`, item] as const))
  if (typeof value !== 'object' || value === null) return null
  const entries = Object.entries(value).map(([name, item]) => [field === '' ? name : `${field}.${name}`, item] as const)
  return entries.map(([path]) => path).find((path) => !isStorable(path)) ?? firstOf(entries)
}

function firstOf(entries: readonly (readonly [string, unknown])[]): string | null {
  for (const [path, item] of entries) {
    const found = findUnstorable(item, path)
    if (found !== null) return found
  }
  return null
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

import { isUtf8 } from 'node:buffer'
import { createJsonScan } from '../../base/json-scan.ts'
import { type Outcome, RefusalError, refuse } from '../../domain/refusal.ts'
import { refuseUnstorableText } from '../../schemas/http/storable-text.ts'
import { BULK_BOUNDS } from './bulk-bounds.ts'
import type { Line } from './read-lines.ts'

/** `{"put": "customers/acme", "body": {…}}`: what `PUT /v1/customers/acme` with this body would do. */
export type BulkLine = { readonly collection: string; readonly key: string; readonly body: unknown }

/** The put that a line asks for; its body is not checked yet. */
export function readBulkLine(line: Line): Outcome<BulkLine> {
  if (line === undefined) return refuse('line_too_long', { bytesMax: BULK_BOUNDS.lineBytes.most })
  if (!isUtf8(line)) return refuse('invalid_utf8', { part: 'line' })
  const defect = createJsonScan(LINE_LIMITS).take(line)
  if (defect?.kind === 'too_deep') return refuse('body_too_deep', { levelsMax: LINE_LIMITS.depthMax })
  if (defect?.kind === 'too_many_values') return refuse('body_too_wide', { valuesMax: LINE_LIMITS.valuesMax })
  const parsed = parse(line.toString('utf8'))
  if (!('put' in parsed)) return parsed
  const [, collection, key] = /^([a-z-]+)\/(.+)$/s.exec(parsed.put) ?? []
  if (collection === undefined || key === undefined)
    return refuse('invalid_put', { put: parsed.put.slice(0, PUT_SHOWN_MAX).toWellFormed() })
  return { collection, key, body: parsed.body }
}

/** As deep and as wide as the body of one request. */
const LINE_LIMITS = { depthMax: 64, valuesMax: 50_000 }
const PUT_SHOWN_MAX = 100

function parse(text: string): Outcome<{ readonly put: string; readonly body: unknown }> {
  try {
    const value: unknown = JSON.parse(text)
    refuseUnstorableText(value)
    if (typeof value !== 'object' || value === null) return refuse('invalid_put', { put: null })
    const { put, body, ...others } = value as Readonly<Record<string, unknown>>
    if (typeof put !== 'string' || body === undefined || Object.keys(others).length > 0) return refuse('invalid_put', { put: null })
    return { put, body }
  } catch (error) {
    if (error instanceof RefusalError) return error.refusal
    const message = error instanceof Error ? error.message.slice(0, 200).toWellFormed() : ''
    return refuse('invalid_json', { why: 'unparsed', part: 'line', message })
  }
}

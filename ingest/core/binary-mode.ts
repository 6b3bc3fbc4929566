import type { IncomingHttpHeaders } from 'node:http'

/**
 * The attributes of an event whose body is only its data: CloudEvents' binary content mode, HTTP binding 1.0.2, section 3.1. Null
 * when the headers name no event.
 */
export function binaryAttributesOf(headers: IncomingHttpHeaders): Readonly<Record<string, unknown>> | null {
  if (headers['ce-id'] === undefined && headers['ce-type'] === undefined && headers['ce-specversion'] === undefined) return null
  const attributes = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(PREFIX) && !OF_BODY.has(name) && typeof value === 'string' ? [[name.slice(PREFIX.length), textOf(value)] as const] : [],
  )
  return Object.fromEntries(attributes)
}

const PREFIX = 'ce-'
const OF_BODY: ReadonlySet<string> = new Set([PREFIX, 'ce-data', 'ce-data_base64'])

/** Section 3.1.3.2: non-ASCII characters are percent-encoded, and a value may be quoted. */
function textOf(value: string): string {
  const unquoted = /^".*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value
  try {
    return decodeURIComponent(unquoted)
  } catch {
    return unquoted
  }
}

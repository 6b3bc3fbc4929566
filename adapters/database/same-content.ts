import { isDeepStrictEqual } from 'node:util'

/** Equal as JSON, whatever the order of properties: jsonb keeps none. */
export function hasSameContent(stored: unknown, put: unknown): boolean {
  return isDeepStrictEqual(asJson(stored), asJson(put))
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}

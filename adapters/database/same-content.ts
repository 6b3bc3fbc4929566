import { isDeepStrictEqual } from 'node:util'

/** Equal as JSON, in any order of properties, as jsonb keeps no order. */
export function hasSameContent(stored: unknown, put: unknown): boolean {
  return isDeepStrictEqual(asJson(stored), asJson(put))
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}

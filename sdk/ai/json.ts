export type Json = Readonly<Record<string, unknown>>

/** The object, or an empty one in place of anything else. */
export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

export function objectsOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(objectOf) : []
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Characters of all texts in a value: prompts and answers are counted and never kept. */
export function charactersIn(value: unknown, depth = 0): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return 0
  let characters = 0
  for (const name in value) characters += charactersIn((value as Json)[name], depth + 1)
  return characters
}

const DEPTH_MAX = 16

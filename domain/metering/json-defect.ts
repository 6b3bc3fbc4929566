import { type Refusal, refuse } from '../refusal.ts'

export const JSON_DEPTH_MAX = 32

/**
 * The defect that makes a parsed JSON value unfit to be kept, and its path: `data.usage.tokens[2]`. Undefined when all of it can
 * be kept exactly. Strings are not checked here but in the JSON text (`holdsLoneSurrogate`), where one native search does for all
 * of them.
 */
export function findJsonDefect(value: unknown, path: string, depth = 0): Refusal | undefined {
  if (typeof value === 'number') {
    // Beyond this a JSON number has already lost digits when we see it, or became Infinity.
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? undefined : outOfRange(value, path)
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (depth >= JSON_DEPTH_MAX) {
    return refuse('too_deep', { path: shortened(path), levelsMax: JSON_DEPTH_MAX })
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (isPlain(value[index])) continue
      const defect = findJsonDefect(value[index], `${path}[${index}]`, depth + 1)
      if (defect !== undefined) return defect
    }
    return undefined
  }
  for (const key in value) {
    if (key === '__proto__') return refuse('forbidden_key', { path: shortened(path) })
    const member = (value as Readonly<Record<string, unknown>>)[key]
    if (isPlain(member)) continue
    const defect = findJsonDefect(member, `${path}.${key}`, depth + 1)
    if (defect !== undefined) return defect
  }
  return undefined
}

/** `JSON.stringify` writes a lone surrogate, and nothing else, as an escape `\ud…` after an even number of backslashes. */
export function holdsLoneSurrogate(json: string): boolean {
  return json.includes('\\ud') && LONE_SURROGATE.test(json)
}

/** Most values are plain: they cost no path and no call. */
function isPlain(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER)
}

const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

function outOfRange(value: number, path: string): Refusal {
  return refuse('number_out_of_range', { path: shortened(path), value })
}

function shortened(path: string): string {
  return path.length > 80 ? `${path.slice(0, 80).toWellFormed()}…` : path.toWellFormed()
}

export type Difference = { readonly path: string; readonly before: string | null; readonly after: string | null }

/** What differs between two values, field by field, named as in the API. Items of lists with a key are matched by it. */
export function diffOf(before: unknown, after: unknown): readonly Difference[] {
  const [was, is] = [leaves(before), leaves(after)]
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((path) => {
    const [old, now] = [was.get(path) ?? null, is.get(path) ?? null]
    return old === now ? [] : [{ path, before: old, after: now }]
  })
}

function leaves(value: unknown, path = '', found = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value)) {
    value.forEach((each: unknown, at) => {
      leaves(each, `${path}[${nameOf(each) ?? at}]`, found)
    })
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, each] of Object.entries(value)) leaves(each, path === '' ? name : `${path}.${name}`, found)
  } else if (value !== undefined && value !== null) {
    found.set(path, String(value))
  }
  return found
}

function nameOf(item: unknown): string | null {
  if (typeof item !== 'object' || item === null) return null
  if ('key' in item) return String(item.key)
  return 'feature' in item ? String(item.feature) : null
}

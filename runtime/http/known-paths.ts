/** The paths of all routes, to tell a wrong method (405) from an unknown path (404). */
export type KnownPaths = {
  add(pattern: string, methods: readonly string[]): void
  /** Methods of the path; empty when it is unknown. */
  methodsOf(path: string): readonly string[]
}

export function createKnownPaths(): KnownPaths {
  const byPattern = new Map<string, { readonly matches: Matches; readonly methods: Set<string> }>()
  return {
    add(pattern, methods) {
      const known = byPattern.get(pattern) ?? { matches: matcherOf(pattern), methods: new Set<string>() }
      for (const method of methods) known.methods.add(method)
      byPattern.set(pattern, known)
    },
    methodsOf(path) {
      const found = new Set<string>()
      const segments = path.split('/')
      for (const { matches, methods } of byPattern.values()) {
        if (matches(segments)) for (const method of methods) found.add(method)
      }
      return [...found].sort()
    },
  }
}

type Matches = (segments: readonly string[]) => boolean

/** `/v1/meters/:key/usage`, and `/docs/static/*` for everything below. */
function matcherOf(pattern: string): Matches {
  const wanted = pattern.split('/')
  const hasRest = wanted.at(-1) === '*'
  const fixed = hasRest ? wanted.slice(0, -1) : wanted
  return (segments) =>
    (hasRest ? segments.length > fixed.length : segments.length === fixed.length) &&
    fixed.every((segment, at) => (segment.startsWith(':') ? segments[at] !== '' : segment === segments[at]))
}

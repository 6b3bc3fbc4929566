/** The paths that routes serve, to tell a wrong method (405) from an unknown path (404). */
export type KnownPaths = {
  add(pattern: string, methods: readonly string[]): void
  /** Methods that the path is served under; empty when it is unknown. */
  methodsOf(path: string): readonly string[]
}

export function createKnownPaths(): KnownPaths {
  const byPattern = new Map<string, { readonly matcher: RegExp; readonly methods: Set<string> }>()
  return {
    add(pattern, methods) {
      const known = byPattern.get(pattern) ?? { matcher: matcherOf(pattern), methods: new Set<string>() }
      for (const method of methods) known.methods.add(method)
      byPattern.set(pattern, known)
    },
    methodsOf(path) {
      const found = new Set<string>()
      for (const { matcher, methods } of byPattern.values()) {
        if (matcher.test(path)) for (const method of methods) found.add(method)
      }
      return [...found].sort()
    },
  }
}

/** `/v1/meters/:key/usage` and `/docs/static/*` as regular expressions. */
function matcherOf(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((segment) => (segment.startsWith(':') ? '[^/]+' : segment.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')))
    .join('/')
  return new RegExp(`^${source}$`)
}

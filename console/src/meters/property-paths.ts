type Data = Readonly<Record<string, unknown>>
const DEPTH_MAX = 4

/** Paths of the plain properties of an event's data, nested with dots. */
export function pathsOf(data: Data, prefix = '', depth = 0): readonly string[] {
  return Object.entries(data).flatMap(([name, value]) => {
    const path = `${prefix}${name}`
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return []
    if (isData(value)) return depth >= DEPTH_MAX ? [] : pathsOf(value, `${path}.`, depth + 1)
    return Array.isArray(value) ? [] : [path]
  })
}

/** Those of them that hold numbers. */
export function numbersIn(data: Data): ReadonlySet<string> {
  return new Set(pathsOf(data).filter((path) => isDecimal(valueAt(data, path))))
}

export function valueAt(data: Data, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (isData(value) ? value[name] : undefined), data)
}

export function isDecimal(value: unknown): value is string | number {
  return typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value))
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

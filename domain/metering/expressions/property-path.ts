/**
 * Where a property stands in an event's data. A path written with dots alone means first the property with that whole name, so
 * that `{"a.b": 1}` is found too; a path with quotes is followed step by step.
 */
export type PropertyPath = { readonly wholeName: string | null; readonly steps: readonly string[] }

/** A path in the syntax from before paths could be quoted: every character but the dot is part of a name. */
export function dottedPath(text: string): PropertyPath {
  return { wholeName: text, steps: text.split('.') }
}

/** Undefined where there is none. Elements of arrays are properties named '0', '1', … */
export function valueAt(data: object, { wholeName, steps }: PropertyPath): unknown {
  if (wholeName !== null) {
    const whole = ownProperty(data, wholeName)
    if (whole !== undefined || steps.length === 1) return whole
  }
  let value: unknown = data
  for (const step of steps) {
    if (typeof value !== 'object' || value === null) return undefined
    value = ownProperty(value, step)
  }
  return value
}

/** Numbers and booleans as their text; null for values without a text: absent, null, an object, an array. */
export function textAt(data: object, path: PropertyPath): string | null {
  const value = valueAt(data, path)
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

/** Own properties only: a path such as `constructor` must not find what every object inherits. */
function ownProperty(object: object, key: string): unknown {
  const value = (object as Readonly<Record<string, unknown>>)[key]
  return typeof value === 'number' || typeof value === 'string' || Object.hasOwn(object, key) ? value : undefined
}

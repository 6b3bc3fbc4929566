import type { SeededRandom } from '../support/seeded-random.ts'
import { ODD_STRINGS, ODD_VALUES } from './odd-values.ts'
import type { JsonSchema } from './openapi-document.ts'

const DEPTH_MAX = 6
/** Keys that exist in this tenant or in the other, so that generated requests get further than 404. */
export const KNOWN_KEYS = [
  'acme',
  'globex',
  'tokens',
  'region',
  'spare',
  'assistant',
  'pro',
  'team',
  'hold-1',
  'hold-2',
  'request-1',
  'more',
]

/** A value that mostly fits the schema. */
export function generatedValue(schema: JsonSchema, random: SeededRandom, depth = 0): unknown {
  if (random.chance(0.02)) return random.pick(ODD_VALUES)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return random.pick(schema.enum)
  const branches = schema.anyOf ?? schema.oneOf
  if (branches !== undefined) return generatedValue(random.pick(branches), random, depth)
  const type = typeof schema.type === 'object' ? random.pick(schema.type) : schema.type
  switch (type) {
    case 'object':
      return depth >= DEPTH_MAX ? {} : generatedObject(schema, random, depth)
    case 'array': {
      if (depth >= DEPTH_MAX) return []
      const length = random.between(schema.minItems ?? 0, 4)
      return Array.from({ length }, () => generatedValue(schema.items ?? {}, random, depth + 1))
    }
    case 'integer':
      return random.between(schema.minimum ?? -3, Math.min(schema.maximum ?? 100_000, 100_000))
    case 'number':
      return random.pick([0, 1, -1, 0.1, 1e-9, 1e21, 60_000, random.below(1_000_000)])
    case 'boolean':
      return random.chance(0.5)
    case 'null':
      return null
    case 'string':
      return generatedString(schema, random)
    default:
      return random.pick(ODD_VALUES)
  }
}

function generatedObject(schema: JsonSchema, random: SeededRandom, depth: number): Record<string, unknown> {
  const required = new Set(schema.required)
  const value: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (required.has(name) ? random.chance(0.98) : random.chance(0.4)) value[name] = generatedValue(property, random, depth + 1)
  }
  const further = Object.values(schema.patternProperties ?? {})[0] ?? schema.additionalProperties
  if (typeof further === 'object' && random.chance(0.5)) {
    value[random.pick(['model', 'region', ...ODD_STRINGS])] = generatedValue(further, random, depth + 1)
  }
  return value
}

function generatedString(schema: JsonSchema, random: SeededRandom): string {
  if (schema.format === 'date-time') return generatedInstant(random)
  if (random.chance(0.05)) return random.pick(ODD_STRINGS)
  if (schema.pattern !== undefined) return generatedKey(random)
  return random.pick([() => generatedKey(random), () => String(random.between(-5, 100_000)), () => 'USD', () => 'llm.request'])()
}

export function generatedKey(random: SeededRandom): string {
  return random.chance(0.7) ? random.pick(KNOWN_KEYS) : `k${random.below(60)}`
}

export function generatedInstant(random: SeededRandom): string {
  if (random.chance(0.1))
    return random.pick(['0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-02-30T00:00:00Z', '1970-01-01T00:00:00Z'])
  const spreadMs = random.pick([60_000, 86_400_000, 35 * 86_400_000, 20 * 365 * 86_400_000])
  return new Date(Date.now() + random.between(-spreadMs, spreadMs / 4)).toISOString()
}

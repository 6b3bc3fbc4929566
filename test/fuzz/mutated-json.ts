import type { SeededRandom } from '../support/seeded-random.ts'
import { ODD_STRINGS, ODD_VALUES } from './odd-values.ts'

/** The value with one place of it changed; the given one stays as it is. */
export function mutatedJson(value: unknown, random: SeededRandom): unknown {
  const isContainer = typeof value === 'object' && value !== null && Object.keys(value).length > 0
  // Goes deeper more often than not, as a value that is wrong as a whole is soon refused.
  if (!isContainer || random.chance(0.05)) return random.pick(ODD_VALUES)
  const keys = Object.keys(value)
  const key = random.pick(keys)
  if (Array.isArray(value)) return mutatedArray(value, Number(key), random)
  const changed: Record<string, unknown> = { ...value }
  switch (random.below(8)) {
    case 0:
      delete changed[key]
      break
    case 1:
      // Not by assignment: `__proto__` has to become a property.
      Object.defineProperty(changed, random.pick(ODD_STRINGS), { value: random.pick(ODD_VALUES), enumerable: true })
      break
    case 2:
      changed[random.pick(keys)] = changed[key]
      break
    default:
      changed[key] = mutatedJson(changed[key], random)
  }
  return changed
}

function mutatedArray(values: readonly unknown[], at: number, random: SeededRandom): unknown[] {
  const changed = [...values]
  switch (random.below(6)) {
    case 0:
      changed.splice(at, 1)
      break
    case 1:
      changed.splice(at, 0, changed[at])
      break
    case 2:
      return Array.from({ length: random.pick([0, 11, 120, 600]) }, () => changed[at])
    case 3:
      return changed.reverse()
    default:
      changed[at] = mutatedJson(changed[at], random)
  }
  return changed
}

/** The bytes with some of them changed, cut, doubled or put elsewhere. */
export function mutatedBytes(bytes: Buffer, random: SeededRandom): Buffer {
  if (bytes.length === 0) return randomBytes(random, 40)
  const at = random.below(bytes.length)
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(random, 20), bytes.subarray(at)])
    case 2:
      return Buffer.concat([bytes, bytes.subarray(at)])
    case 3:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)])
    default: {
      const changed = Buffer.from(bytes)
      for (let flips = random.between(1, 8); flips > 0; flips--) {
        const place = random.below(changed.length)
        changed[place] = (changed[place] ?? 0) ^ (1 << random.below(8))
      }
      return changed
    }
  }
}

export function randomBytes(random: SeededRandom, bytesMax: number): Buffer {
  return Buffer.from(Array.from({ length: random.below(bytesMax + 1) }, () => random.below(256)))
}

import { JSON_DEPTH_MAX } from '../../domain/metering/json-defect.ts'
import type { Refusal } from '../../domain/refusal.ts'

/** How an event can be kept in another form. Its identity is not repaired: ids, types and names are whole or refused. */
export type Repair = { readonly code: 'kept_as_text' | 'replaced_characters'; readonly detail: string }

/** The repair of a refused event; null when it stays refused. */
export function repairOf(refusal: Refusal): Repair | null {
  if (refusal.code === 'number_out_of_range' && refusal.fields !== null) {
    const { path } = refusal.fields
    return {
      code: 'kept_as_text',
      detail: `${path} is a number of more digits than a JSON number holds exactly. It is kept as text, with all of them.`,
    }
  }
  if (refusal.code === 'lone_surrogate' && refusal.fields?.value === null) {
    const { field } = refusal.fields
    return {
      code: 'replaced_characters',
      detail: `A string in ${field} holds half of a surrogate pair, which is no text. It is kept as U+FFFD.`,
    }
  }
  return null
}

/** A copy with well-formed texts and property names, except in the attributes that identify the event. */
export function withWellFormedTexts(event: object): object {
  return Object.fromEntries(Object.entries(event).map(([name, value]) => [name, IDENTITY.has(name) ? value : wellFormed(value, 0)]))
}

const IDENTITY: ReadonlySet<string> = new Set(['id', 'source', 'type', 'subject', 'customer', 'time', 'reservation', 'lease'])

function wellFormed(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  // Deeper than what can be kept, and refused for its depth.
  if (typeof value !== 'object' || value === null || depth > JSON_DEPTH_MAX) return value
  if (Array.isArray(value)) return value.map((item) => wellFormed(item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member, depth + 1)]))
}

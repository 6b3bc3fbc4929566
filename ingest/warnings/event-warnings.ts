import type { Unreadable } from '../../domain/metering/expressions/compiled-meter.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import type { Repair } from '../core/repaired-event.ts'
import { INGEST_BOUNDS } from '../ingest-bounds.ts'
import { meantField } from './stray-field.ts'
import type { TypeReader, TypeReaders, UnreadValue } from './type-reader.ts'

export const WARNING_CODES = [
  'unread_type',
  'stray_field',
  'similar_customer',
  'unreadable_value',
  'kept_as_text',
  'replaced_characters',
  'unknown_surface',
] as const
export type WarningCode = (typeof WARNING_CODES)[number]

/** An event that was kept, but counts for nothing or not as it was meant. */
export type EventWarning = {
  readonly index: number
  readonly id: string
  readonly code: WarningCode
  readonly detail: string
  /** How many events of the request have this warning; the first few are named. */
  readonly events: number
}

/** Different warnings in one answer, and events named for each. */
export const WARNING_KINDS_MAX = INGEST_BOUNDS.warnings.most
export const WARNING_EXAMPLES_MAX = 3

/** Collects the warnings of one request. It looks at every kept event, so an event without a warning must cost almost nothing. */
export type EventWarnings = {
  /** `value` is the event as it was sent. */
  look(index: number, event: UsageEvent, value: Readonly<Record<string, unknown>>, readers: TypeReaders): void
  similarCustomer(index: number, event: UsageEvent, similar: string): void
  /** Adds a warning that a part of the event is kept in another form than it was sent. */
  repaired(index: number, id: string, code: Repair['code'], detail: string): void
  /** Adds a warning that nothing could be read of what a call of a model used. */
  modelCall(index: number, event: UsageEvent, what: 'unknown_surface' | 'unreadable_usage', surface: unknown): void
  /** Number of events by code. */
  counts(): ReadonlyMap<WarningCode, number>
  list(): readonly EventWarning[]
}

export function createEventWarnings(): EventWarnings {
  /** By the subject of the warning: a type, a meter's value, an attribute. */
  const kinds = new Map<unknown, Kind>()
  const counts = new Map<WarningCode, number>()
  let lastType: string | null = null
  let lastReader: TypeReader | undefined

  function warn(index: number, id: string, code: WarningCode, about: unknown, detail: () => string): void {
    counts.set(code, (counts.get(code) ?? 0) + 1)
    let kind = kinds.get(about)
    if (kind === undefined) {
      if (kinds.size >= WARNING_KINDS_MAX) return
      kind = { code, detail: detail(), events: 0, examples: [] }
      kinds.set(about, kind)
    }
    kind.events++
    if (kind.examples.length < WARNING_EXAMPLES_MAX) kind.examples.push({ index, id })
  }

  return {
    counts: () => counts,
    look(index, event, value, readers) {
      const { type, id } = event
      if (type !== lastType) {
        lastReader = readers.get(type)
        lastType = type
      }
      if (lastReader === undefined) warn(index, id, 'unread_type', `type ${type}`, () => unreadType(type))
      else {
        const unread = lastReader.firstUnread((value.data ?? NO_DATA) as object)
        if (unread !== null) warn(index, id, 'unreadable_value', unread, () => unreadableValue(unread))
      }
      if (event.attributes === null) return
      for (const name in JSON.parse(event.attributes) as object) {
        const meant = meantField(name, lastReader?.names)
        if (meant !== null) warn(index, id, 'stray_field', `field ${name}`, () => strayField(name, meant))
      }
    },
    similarCustomer(index, { id, customer }, similar) {
      warn(index, id, 'similar_customer', `customer ${customer}`, () => similarCustomer(customer, similar))
    },
    modelCall(index, { id }, what, surface) {
      const code = what === 'unknown_surface' ? what : 'unreadable_value'
      warn(index, id, code, `${what} ${surface}`, () => MODEL_CALL[what](shortened(`${surface}`)))
    },
    repaired(index, id, code, detail) {
      warn(index, id, code, detail, () => detail)
    },
    list: () =>
      [...kinds.values()]
        .flatMap(({ code, detail, events, examples }) => examples.map(({ index, id }) => ({ index, id, code, detail, events })))
        .sort((a, b) => a.index - b.index),
  }
}

type Kind = {
  readonly code: WarningCode
  readonly detail: string
  events: number
  readonly examples: { readonly index: number; readonly id: string }[]
}

const NO_DATA = {}

function unreadType(type: string): string {
  return `No meter reads type '${type}': the event is kept and counts for nothing. Correct the type, or make a meter that reads it with PUT /v1/meters.`
}

function unreadableValue({ meter, reason }: UnreadValue): string {
  const value = meter.value.length === 1 ? meter.value[0] : meter.value.join(', ')
  return `Meter ${meter.key} reads ${shortened(`${value}`)}, ${WHY[reason]}. The event is kept and counts for nothing there.`
}

const WHY: Readonly<Record<Unreadable, string>> = {
  missing: 'which is missing in data (missing)',
  not_a_number: 'and there is something that is no number (not_a_number)',
  not_exact: 'and the number has more digits than it counts (not_exact)',
  too_large: 'and the number is 10^20 or more (too_large)',
  negative: 'and the value is below zero, which it does not allow (negative)',
}

const MODEL_CALL = {
  unknown_surface: (surface: string) =>
    `There is no surface '${surface}': the usage is kept as it came, and counts for nothing. Surfaces are named in docs/model-calls.md.`,
  unreadable_usage: (surface: string) =>
    `The usage of this call, of surface '${surface}', holds something that is no whole number: it is kept as it came, and counts for nothing.`,
} as const

function strayField(name: string, meant: string): string {
  return `'${shortened(name)}' is no field of an event: it is kept as an attribute, and nothing reads it. It was perhaps meant to be ${meant}.`
}

function similarCustomer(customer: string, similar: string): string {
  return `Customer '${customer}' is seen for the first time, and there is '${similar}' with the same letters. They are two customers: send '${similar}' if it was meant.`
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80).toWellFormed()}…` : text
}

import type { CustomerKey } from '../domain/identity.ts'
import type { NameHistories } from '../usage/customer-names.ts'
import type { MovedEvent } from './former-customers.ts'
import type { ParseContext } from './usage-event-parsing.ts'

/** What events call their customers. Events that follow each other mostly name the same. */
export function namesOf(values: readonly unknown[]): readonly string[] {
  const names: string[] = []
  let last: unknown
  for (const value of values) {
    const name = nameIn(value)
    if (name === last) continue
    last = name
    if (typeof name === 'string') names.push(name)
  }
  return names
}

/** No name of a slice is a subject: most slices. */
export const ofKeys: ParseContext['customerOf'] = (name) => name as CustomerKey

export type RawEvent = Readonly<Record<string, unknown>>

function nameIn(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const { customer, subject } = value as RawEvent
  return customer ?? subject
}

export const hasNoTime = ({ time }: RawEvent): boolean => time === undefined || time === null
export const sourceOf = ({ source }: RawEvent): unknown => source ?? 'default'

export function movedEvents(values: readonly unknown[], histories: NameHistories): readonly MovedEvent[] {
  const moved = [...histories].filter(([, history]) => history.some(({ untilMs }) => untilMs !== null))
  if (moved.length === 0) return []
  const movedNames = new Map(moved)
  return values.flatMap((value) => {
    const name = nameIn(value)
    const history = typeof name === 'string' ? movedNames.get(name) : undefined
    if (history === undefined || typeof name !== 'string') return []
    const event = value as RawEvent
    const source = sourceOf(event)
    const { id } = event
    return hasNoTime(event) && typeof source === 'string' && typeof id === 'string' ? [{ name, history, source, id }] : []
  })
}

import { instantMsOf } from '../instant-ms.ts'
import { refuseInput } from '../refuse-input.ts'
import { type Form, textIn, wholeIn } from './forms.ts'

const LIMIT = { usual: 10, most: 100 }

/** A page of what is at hand as a whole, newest first; goes on behind `starting_after`. */
export function listJson<Item extends { readonly id: string }>(url: string, form: Form, newestFirst: readonly Item[]) {
  const limit = wholeIn(form, 'limit') ?? LIMIT.usual
  if (limit < 1 || limit > LIMIT.most) return refuseInput('limit', `limit must be from 1 to ${LIMIT.most}, was ${limit}`)
  const after = textIn(form, 'starting_after')
  const before = textIn(form, 'ending_before')
  const from = after === undefined ? 0 : placeOf(newestFirst, 'starting_after', after) + 1
  const to = before === undefined ? newestFirst.length : placeOf(newestFirst, 'ending_before', before)
  const start = before === undefined ? from : Math.max(from, to - limit)
  const data = newestFirst.slice(start, Math.min(to, start + limit))
  return { object: 'list', url, has_more: before === undefined ? start + limit < to : start > from, data }
}

function placeOf<Item extends { readonly id: string }>(items: readonly Item[], field: string, id: string): number {
  const place = items.findIndex((item) => item.id === id)
  return place >= 0 ? place : refuseInput(field, `No such object: '${id.slice(0, 80)}'`)
}

/** Unix seconds. */
export function secondsOf(instant: string): number {
  return Math.floor(instantMsOf(instant) / 1_000)
}

import { createHash } from 'node:crypto'

/**
 * The place to go on from in a list, as text that a caller brings back. It holds a check of itself and of the list that it is
 * of, so that what was cut, changed or taken from another list is told, and never asked of a store. It hides nothing and
 * grants nothing: what may be read is decided by the key that comes with it.
 */
export function sealCursor(list: string, place: string): string {
  return Buffer.concat([checkOf(list, place), Buffer.from(place)]).toString('base64url')
}

/** The place; null when the text is no cursor of this list. */
export function openCursor(list: string, cursor: string): string | null {
  const place = Buffer.from(cursor, 'base64url').subarray(CHECK_BYTES).toString('utf8')
  return sealCursor(list, place) === cursor ? place : null
}

const CHECK_BYTES = 9

function checkOf(list: string, place: string): Buffer {
  return createHash('sha256').update(`${list}\0${place}`).digest().subarray(0, CHECK_BYTES)
}

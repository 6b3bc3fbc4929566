import { parseInstantText } from '../domain/time/instant-text.ts'

/** An instant of one of our answers, or of a vendor's input, in milliseconds; NaN when the text is none. */
export function instantMsOf(text: string): number {
  return parseInstantText(text) ?? Number.NaN
}

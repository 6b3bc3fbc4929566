import { Readable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { refusalDetail } from '../schemas/http/refusal-answer.ts'
import type { RejectedEvent, Verdicts } from './ingest-outcome.ts'

type RejectedJson = { readonly index: number; readonly id: string | null; readonly code: string; readonly detail: string }

/** Verdicts that are written at once; a request of 100,000 wrong events has an answer of 10 MB and more, which comes in parts. */
const VERDICTS_AT_ONCE = 1_000

export function isLongAnswer({ rejected }: Verdicts): boolean {
  return rejected.length > VERDICTS_AT_ONCE
}

export function rejectedJson({ index, id, why }: RejectedEvent): RejectedJson {
  const detail = why instanceof Fault ? `The event was not kept: ${why.publicText} Send it again.` : refusalDetail(why)
  return { index, id, code: why.code, detail }
}

/** The JSON of the verdicts, written as the caller reads it, with turns for other requests in between. */
export function longAnswer(verdicts: Verdicts, clock: Pick<Clock, 'turn'>): Readable {
  return Readable.from(answerParts(verdicts, clock), { objectMode: false, highWaterMark: 64 * 1024 })
}

async function* answerParts({ accepted, rejected, warnings }: Verdicts, clock: Pick<Clock, 'turn'>): AsyncGenerator<string> {
  yield `{"accepted":${accepted},"rejected":[`
  for (let from = 0; from < rejected.length; from += VERDICTS_AT_ONCE) {
    if (from > 0) await clock.turn()
    const part = rejected.slice(from, from + VERDICTS_AT_ONCE).map((each) => JSON.stringify(rejectedJson(each)))
    yield `${from === 0 ? '' : ','}${part.join()}`
  }
  yield warnings.length === 0 ? ']}' : `],"warnings":${JSON.stringify(warnings)}}`
}

import type { Readable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { within } from '../base/deadline.ts'
import { INGEST_BOUNDS } from './ingest-bounds.ts'

/** A refused sender may finish sending up to here, as a sender that is cut off sees a broken connection instead of the answer. */
const DISCARD_BYTES_MAX = INGEST_BOUNDS.discarded.most
const DISCARD_MS_MAX = 2_000

/** Reads and discards the rest of a body, within bounds. Never rejects. */
export async function discardRest(body: Readable, clock: Clock): Promise<void> {
  const stopping = new AbortController()
  try {
    await within(clock, DISCARD_MS_MAX, readAway(body, stopping.signal))
  } catch {
    // The sender went away; there is nobody left to answer.
  } finally {
    stopping.abort()
  }
}

async function readAway(body: Readable, signal: AbortSignal): Promise<void> {
  let bytes = 0
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length
    if (bytes > DISCARD_BYTES_MAX || signal.aborted) return
  }
}

import PQueue from 'p-queue'
import { type EventMapping, eventOfRow } from './event-mapping.ts'
import type { EventSender } from './event-sender.ts'
import { type ImportRow, readRows } from './read-rows.ts'

export type ImportRefusal = { readonly line: number; readonly id: string | null; readonly code: string; readonly detail: string }

export type ImportResult = {
  readonly rows: number
  readonly accepted: number
  readonly refused: number
  readonly firstRefusals: readonly ImportRefusal[]
}

export type ImportProgress = { rows: number; accepted: number; refused: number; bytesRead: number; bytesTotal: number }

export type ImportOptions = {
  readonly file: string
  /** Null: every row is an event already. */
  readonly mapping: EventMapping | null
  readonly sender: EventSender
  /** Updated during the import. */
  readonly progress: ImportProgress
  readonly signal?: AbortSignal
}

const BATCH_EVENTS_MAX = 1_000
const BATCH_CHARACTERS_MAX = 1_000_000
const BATCHES_UNDER_WAY_MAX = 4
const SHOWN_REFUSALS_MAX = 10

type Batch = { readonly events: readonly { readonly line: number; readonly text: string }[] }

/**
 * Sends a file's rows as events, a few batches at a time. Nothing is kept between runs: events have ids, so sending them again
 * after a crash counts nothing twice. Throws when the server cannot be reached or refuses the key.
 */
export async function importFile(options: ImportOptions): Promise<ImportResult> {
  const { progress, sender } = options
  const firstRefusals: ImportRefusal[] = []
  const refuseRow = (refusal: ImportRefusal) => {
    progress.refused += 1
    if (firstRefusals.length < SHOWN_REFUSALS_MAX) firstRefusals.push(refusal)
  }
  const failure = new AbortController()
  const signal = options.signal === undefined ? failure.signal : AbortSignal.any([failure.signal, options.signal])
  const sends = new PQueue({ concurrency: BATCHES_UNDER_WAY_MAX })

  async function send({ events }: Batch): Promise<void> {
    const result = await sender.send(events.map((event) => event.text).join('\n'), signal)
    progress.accepted += result.accepted
    for (const { index, id, code, detail } of result.rejected) refuseRow({ line: events[index]?.line ?? 0, id: id ?? null, code, detail })
  }

  try {
    for await (const batch of readBatches(options, refuseRow)) {
      sends.add(() => send(batch)).catch((error: unknown) => failure.abort(error))
      // At most one batch waits, which bounds how far the file is read ahead.
      await sends.onSizeLessThan(1)
      if (signal.aborted) break
    }
  } catch (error) {
    failure.abort(error)
  }
  await sends.onIdle()
  signal.throwIfAborted()
  return { rows: progress.rows, accepted: progress.accepted, refused: progress.refused, firstRefusals }
}

async function* readBatches(
  { file, mapping, progress }: ImportOptions,
  refuseRow: (refusal: ImportRefusal) => void,
): AsyncGenerator<Batch, undefined, undefined> {
  let events: { line: number; text: string }[] = []
  let characters = 0
  const rows = readRows(file, (bytesRead, bytesTotal) => {
    progress.bytesRead = bytesRead
    progress.bytesTotal = bytesTotal
  })
  for await (const row of rows) {
    progress.rows += 1
    const event = eventText(row, mapping)
    if (typeof event !== 'string') {
      refuseRow({ line: row.line, ...event })
      continue
    }
    events.push({ line: row.line, text: event })
    characters += event.length
    if (events.length >= BATCH_EVENTS_MAX || characters >= BATCH_CHARACTERS_MAX) {
      yield { events }
      events = []
      characters = 0
    }
  }
  if (events.length > 0) yield { events }
}

function eventText(row: ImportRow, mapping: EventMapping | null): string | { id: string | null; code: string; detail: string } {
  if (row.problem !== null) return { id: null, code: 'invalid_row', detail: row.problem }
  return mapping === null ? row.text : eventOfRow(row.values, mapping)
}

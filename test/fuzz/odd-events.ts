import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { SeededRandom } from '../support/seeded-random.ts'
import { exchangeOf, type Headers, type RequestSources, usualHeaders, type WireCall } from './call.ts'
import { generatedInstant, generatedKey } from './generated-value.ts'
import { mutatedBytes, mutatedJson } from './mutated-json.ts'

/** Bodies of events in every type and coding, whole or not. */
export function oddEvents(random: SeededRandom, { keys }: RequestSources): WireCall {
  const events = Array.from({ length: random.pick([1, 1, 3, 40]) }, () => oddEvent(random))
  const contentType = random.pick([
    'application/json',
    'application/cloudevents+json',
    'application/cloudevents-batch+json',
    'application/x-ndjson',
  ])
  const lines = events.map((event) => JSON.stringify(event))
  const text = contentType.endsWith('ndjson') ? lines.join('\n') : events.length === 1 ? (lines[0] ?? '') : `[${lines.join(',')}]`
  const plain = random.chance(0.3) ? mutatedBytes(Buffer.from(text), random) : Buffer.from(text)
  const coding = random.pick(['identity', 'gzip', 'br', 'zstd'] as const)
  const packed = PACK[coding](plain)
  const body = random.chance(0.3) ? mutatedBytes(packed, random) : packed
  const query = random.pick(['', '', '?atomic=true', '?backfill=true', '?atomic=maybe', '?atomic=true&atomic=false'])
  const call = { method: 'POST', target: `/v1/events${query}`, route: 'POST /v1/events', json: '', key: random.pick(keys) }
  const headers: Headers = [
    ...usualHeaders({ ...call, json: undefined }, body),
    ['Content-Type', contentType],
    ['Content-Encoding', coding],
  ]
  return exchangeOf(call, headers, body, 'kept')
}

const PACK = {
  identity: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  br: (bytes: Buffer) => brotliCompressSync(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
} as const

function oddEvent(random: SeededRandom): unknown {
  const event = {
    id: `f-${random.below(100_000)}`,
    type: random.pick(['llm.request', 'spare', 'other']),
    customer: generatedKey(random),
    time: generatedInstant(random),
    data: { model: random.pick(['small', 'large']), input_tokens: random.below(100), output_tokens: '7.5' },
  }
  return random.chance(0.4) ? mutatedJson(event, random) : event
}

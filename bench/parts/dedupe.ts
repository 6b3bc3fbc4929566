import { createDedupeFilter } from '../../aggregator/dedupe/dedupe-filter.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { eventHash, hashSeed } from '../../domain/metering/event-hash.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { customerKey } from '../usage-workload.ts'

export const dedupePart: BenchPart = {
  name: 'dedupe',
  about: 'memory and CPU of the dedupe filter per remembered event, at 1, 10 and (--large) 100 million',
  run: measureDedupe,
}

const MILLION = 1_000_000
const CUSTOMERS = 5_000
const DAY_MS = 86_400_000
const HORIZON_DAYS = 35
const ASKED = MILLION
const ADDED_PER_STEP = 1_000
/** As many as the events of a record. */
const ASKED_TOGETHER = 250

async function measureDedupe(context: BenchContext): Promise<readonly Figure[]> {
  const sizes = context.isQuick ? [MILLION / 10] : context.isLarge ? [MILLION, 10 * MILLION, 100 * MILLION] : [MILLION, 10 * MILLION]
  return sizes.flatMap((size) => measureFilter(size, context))
}

/** Receipts are spread over the whole horizon, in order, as a steady stream leaves them. */
function measureFilter(size: number, { progress }: BenchContext): Figure[] {
  progress(`${size.toLocaleString('en')} events`)
  const seeds = Array.from({ length: CUSTOMERS }, (_, index) => hashSeed('default', customerKey(index)))
  const [first] = seeds
  if (first === undefined) throw new Error('there is a first customer')
  const hashOf = (index: number) => eventHash(seeds[index % CUSTOMERS] ?? first, 'gateway', `req_${index}`)
  const startMs = Date.UTC(2026, 0, 1)
  const filter = createDedupeFilter(startMs as InstantMs)
  const stepMs = (HORIZON_DAYS * DAY_MS) / size

  const hashing = cpuMicros(ASKED, () => {
    let sum = 0
    for (let index = 0; index < ASKED; index++) sum += hashOf(index)
    if (sum === 0) throw new Error('hashes are not all 0')
  })
  const adding = cpuMicros(size, () => {
    for (let index = 0; index < size; index++) {
      const receivedAtMs = startMs + index * stepMs
      filter.add(hashOf(index), receivedAtMs)
      // As after every step of a fold: past weeks merge into one run.
      if (index % ADDED_PER_STEP === 0) filter.advance(receivedAtMs as InstantMs)
    }
  })
  const ask = (indexAt: (asked: number) => number) => {
    let maybes = 0
    const hashes = new Float64Array(ASKED_TOGETHER)
    const micros = cpuMicros(ASKED, () => {
      for (let asked = 0; asked < ASKED; asked += ASKED_TOGETHER) {
        for (let place = 0; place < ASKED_TOGETHER; place++) hashes[place] = hashOf(indexAt(asked + place))
        maybes += filter.maybes(hashes, startMs).length
      }
    })
    return { micros, maybes }
  }
  const ofNew = ask((asked) => size + asked)
  const stride = Math.max(1, Math.floor(size / ASKED))
  const ofKnown = ask((asked) => (asked * stride) % size)
  if (ofKnown.maybes < ASKED) throw new Error(`the filter has forgotten ${ASKED - ofKnown.maybes} of ${ASKED} events`)
  const label = `${size / MILLION} M: `
  const bytesPerEvent = filter.bytes() / size
  const fixedBytes = FIXED_BYTES_PER_WEEK * Math.ceil(HORIZON_DAYS / 7 + 1)
  const beyondBase = Math.max(0, filter.bytes() - fixedBytes) / size
  return [
    { what: `${label}memory`, value: bytesPerEvent, unit: 'bytes/event', note: `${(filter.bytes() / 2 ** 20).toFixed(1)} MiB in all` },
    { what: `${label}memory beyond the base`, value: beyondBase, unit: 'bytes/event', budget: { max: 2 } },
    { what: `${label}remember`, value: adding - hashing, unit: 'µs/event', note: 'merging of runs included, hashing not' },
    { what: `${label}ask of a new event`, value: ofNew.micros - hashing, unit: 'µs/event', note: `${ofNew.maybes} maybes of ${ASKED}` },
    { what: `${label}ask of a known event`, value: ofKnown.micros - hashing, unit: 'µs/event' },
    { what: `${label}hash`, value: hashing, unit: 'µs/event' },
  ]
}

/** The filter's promise: 640 KiB a week, and 512 KiB for a week that is being added to. */
const FIXED_BYTES_PER_WEEK = (640 + 512) * 1024

function cpuMicros(items: number, work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / items
}

import type { SourceMutant } from '../support/source-mutant.ts'

/**
 * Rules that exactness depends on, each by the name under which the simulation can run without it. A piece of the source is
 * replaced as it is loaded; promises of the stores are switched off in their models.
 */
export const MUTANTS = {
  'version check': { what: 'of two rows of one window and chunk the one written last holds, not the one of the highest version' },
  'chunk restart': {
    what: 'a restart goes on from the stored position, not from the start of its chunk',
    file: 'aggregator/partition/resume-point.ts',
    source: 'const chunkStart = startOfChunk(storedNext)',
    replacement: 'const chunkStart = storedNext',
  },
  'dedupe look-up': { what: 'the store is not asked for earlier events with the same key' },
  'filter that is not back': {
    what: 'a dedupe filter is believed before it has all that is stored',
    file: 'aggregator/dedupe/deduplicator.ts',
    source: 'const places = isComplete() ?',
    replacement: 'const places = true ?',
  },
  'same position is itself': { what: 'a row that an earlier life wrote for the same place of the log makes its event a repeat' },
  'position check of the counters': {
    what: 'deltas of records that were applied before are applied again',
    file: 'adapters/counters/embedded/embedded-counters.ts',
    source: 'if (offset < table.position(partition)) continue',
    replacement: '',
  },
  'order of events, windows, positions': { what: 'the position is written first, so that a crash leaves it ahead of its rows' },
  'activation offset': { what: 'a meter made on the way counts what is below its activation live, though it is backfilled too' },
  'tracking only after catch-up': {
    what: 'counters are computed while the store may hold more than what is folded, and from all of it',
    file: 'aggregator/partition/open-partition.ts',
    source: 'trackableFrom: logRange.next',
    replacement: 'trackableFrom: 0 as Offset',
    // Usage as of a position would make up for the other piece.
    also: {
      file: 'aggregator/tracking/compute-counters.ts',
      source: '[customer.partition, at]',
      replacement: '[customer.partition, Number.MAX_SAFE_INTEGER as Offset]',
    },
  },
  'windows come back': {
    what: 'a window that was let go of begins at nothing when one of its events comes',
    file: 'aggregator/fold/stored-windows.ts',
    source: 'if (away.size() === 0) return',
    replacement: 'return',
  },
  'rows that lie ahead': {
    what: 'of a window that comes back, events that its row has already are counted again',
    file: 'aggregator/fold/stored-windows.ts',
    source: 'if (row.version >= next) fold.countedTo.set(place, row.version)',
    replacement: '',
  },
  'rows of whole records': {
    what: 'a backfill writes and lets go of windows in the middle of a record',
    file: 'aggregator/partition/stored-fold.ts',
    source: 'const isRest = events[from]?.offset === counted',
    replacement: 'const isRest = false',
  },
  'combinations of the store': {
    what: 'a day begins without the combinations of dimensions that its stored windows have',
    file: 'aggregator/fold/series-look-up.ts',
    source: 'found.get(day) ?? []',
    replacement: '[] as readonly number[]',
  },
  'combinations before a start': {
    what: 'a start takes a meter for one without stored windows, and checks no day of it',
    file: 'aggregator/fold/series-look-up.ts',
    source: 'group.dimensions.addSeen(found[at] ?? null)',
    replacement: '',
  },
  'stored before it is checked': {
    what: 'days are read from the store while windows of theirs that were counted unchecked are not there yet',
    file: 'aggregator/partition/partition-worker.ts',
    source: 'await flusher.flush()\n      signal.throwIfAborted()\n      checkDue',
    replacement: 'checkDue',
  },
  'usage beyond the bound': {
    what: 'counters with a filter are computed from windows that no longer tell what passes it',
    file: 'usage/period-usage.ts',
    source: 'isOther ? [customer] : []',
    replacement: '[]',
  },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly also?: SourceMutant } & Partial<SourceMutant>>>

export type MutantName = keyof typeof MUTANTS

/** The mutant of this process; null when there is none. */
export function chosenMutant(): MutantName | null {
  const name = process.env.SIMULATION_MUTANT
  if (name === undefined) return null
  if (name in MUTANTS) return name as MutantName
  throw new Error(`there is no mutant '${name}', but ${Object.keys(MUTANTS).join(', ')}`)
}

export function isSwitchedOff(name: MutantName): boolean {
  return SWITCHED_OFF === name
}

const SWITCHED_OFF = chosenMutant()

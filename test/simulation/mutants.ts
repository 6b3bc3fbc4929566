/** What holds exactness together, each by the name under which the simulation can switch it off. */
export const MUTANTS = {
  'version check': 'of two rows of one window and chunk the one written last holds, not the one of the highest version',
  'chunk restart': 'a restart goes on from the stored position, not from the start of its chunk',
  'dedupe look-up': 'the store is not asked for earlier events with the same key',
  'filter that is not back': 'a dedupe filter is believed before it has all that is stored',
  'same position is itself': 'a row that an earlier life wrote for the same place of the log makes its event a repeat',
  'position check of the counters': 'deltas of records that were applied before are applied again',
  'order of events, windows, positions': 'the position is written first, so that a crash leaves it ahead of its rows',
  'activation offset': 'a meter made on the way counts what is below its activation live, though it is backfilled too',
  'tracking only after catch-up': 'counters are computed while the store may hold more than what is folded',
} as const

export type MutantName = keyof typeof MUTANTS

let switchedOff: MutantName | null = null

export function isSwitchedOff(name: MutantName): boolean {
  return switchedOff === name
}

export function switchOff(name: MutantName | null): void {
  switchedOff = name
}

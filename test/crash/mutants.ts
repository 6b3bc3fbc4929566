import type { SourceMutant } from '../support/source-mutant.ts'

/** A mutant of a piece of source that exactness depends on. */
export type CrashMutant = SourceMutant & { readonly what: string }

/** Each must be found by a few runs, or the harness proves nothing. Only ever applied to servers that load `mutate.ts`. */
export const CRASH_MUTANTS: Readonly<Record<string, CrashMutant>> = {
  'acknowledged before it is written': {
    what: 'events are acknowledged when their write to the log begins',
    file: 'adapters/event-log/lmdb/group-commit.ts',
    source: '    let fault: unknown = null\n',
    replacement: '    let fault: unknown = null\n    group.forEach(({ resolve }, index) => resolve(placed[index]?.offset as Offset))\n',
  },
  'chunk restart': {
    what: 'a restart goes on from the stored position, not from the start of its chunk',
    file: 'aggregator/partition/resume-point.ts',
    source: 'const chunkStart = startOfChunk(storedNext)',
    replacement: 'const chunkStart = storedNext',
  },
  'dedupe look-up': {
    what: 'events stored before are not looked for',
    file: 'aggregator/dedupe/deduplicator.ts',
    source: 'return places.filter(',
    replacement: 'return ([] as number[]).filter(',
  },
  'reservation answered before it is written': {
    what: 'a reservation is answered when its write begins',
    file: 'adapters/counters/embedded/embedded-holds.ts',
    source: "      await writer.flush()\n      return { status: 'held'",
    replacement: "      void writer.flush()\n      return { status: 'held'",
  },
}

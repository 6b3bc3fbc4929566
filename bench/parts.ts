import type { BenchPart } from './part.ts'
import { dedupePart } from './parts/dedupe.ts'
import { ingestPart } from './parts/ingest.ts'
import { stagesPart } from './parts/stages.ts'

/** In the order in which they run when none is named. */
export const PARTS: readonly BenchPart[] = [ingestPart, stagesPart, dedupePart]

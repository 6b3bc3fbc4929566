import type { BenchPart } from './part.ts'
import { decisionsPart } from './parts/decisions.ts'
import { decisionsRedisPart } from './parts/decisions-redis.ts'
import { dedupePart } from './parts/dedupe.ts'
import { distributedPart } from './parts/distributed.ts'
import { freshnessPart } from './parts/freshness.ts'
import { growthPart } from './parts/growth.ts'
import { ingestPart } from './parts/ingest.ts'
import { producerPart } from './parts/producer.ts'
import { queriesPart } from './parts/queries.ts'
import { ratingPart } from './parts/rating.ts'
import { recoveryPart } from './parts/recovery.ts'
import { stagesPart } from './parts/stages.ts'
import { storagePart } from './parts/storage.ts'

/** In the order in which they run when none is named. */
export const PARTS: readonly BenchPart[] = [
  ingestPart,
  stagesPart,
  distributedPart,
  producerPart,
  decisionsPart,
  decisionsRedisPart,
  freshnessPart,
  queriesPart,
  ratingPart,
  dedupePart,
  storagePart,
  recoveryPart,
  growthPart,
]

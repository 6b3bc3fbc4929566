import type { BenchPart } from './part.ts'
import { billingPart } from './parts/billing.ts'
import { customersPart } from './parts/customers.ts'
import { decisionsPart } from './parts/decisions.ts'
import { decisionsRedisPart } from './parts/decisions-redis.ts'
import { dedupePart } from './parts/dedupe.ts'
import { distributedPart } from './parts/distributed.ts'
import { freshnessPart } from './parts/freshness.ts'
import { ingestPart } from './parts/ingest.ts'
import { kafkaWirePart } from './parts/kafka-wire.ts'
import { metersPart } from './parts/meters.ts'
import { producerPart } from './parts/producer.ts'
import { ratingPart } from './parts/rating.ts'
import { stagesPart } from './parts/stages.ts'
import { storagePart } from './parts/storage.ts'
import { storedPart } from './parts/stored.ts'

/** In the order in which they run when none is named. */
export const PARTS: readonly BenchPart[] = [
  ingestPart,
  stagesPart,
  metersPart,
  distributedPart,
  producerPart,
  kafkaWirePart,
  decisionsPart,
  decisionsRedisPart,
  freshnessPart,
  ratingPart,
  billingPart,
  dedupePart,
  storagePart,
  customersPart,
  storedPart,
]

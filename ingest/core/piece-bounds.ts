import { INGEST_BOUNDS } from '../ingest-bounds.ts'

/** Bound on one event as JSON: data and attributes at their largest, written wastefully. */
export const EVENT_BYTES_MAX = INGEST_BOUNDS.event.most
/** Bytes that are parsed at once; between pieces other requests have their turn. */
export const PIECE_BYTES = INGEST_BOUNDS.parsedAtOnce.most
/** Bytes that are scanned at once. An event that grows too large began in an earlier part. */
export const SCAN_BYTES = 64 * 1024
/** Levels of a JSON array of events, far beyond those of an acceptable event: the scan of a deeper body stops there. */
export const DEPTH_MAX = INGEST_BOUNDS.depth.most

/** One event as JSON: data and attributes at their largest, written wastefully. */
export const EVENT_BYTES_MAX = 512 * 1024
/** Bytes that are parsed at once; between pieces others have their turn. */
export const PIECE_BYTES = 256 * 1024
/** Bytes that are looked through at once. An event that grows too large began in a part before. */
export const SCAN_BYTES = 64 * 1024
/** Levels of a JSON array of events, far beyond those of an event that is kept: a body that goes deeper is not looked through to its end. */
export const DEPTH_MAX = 512

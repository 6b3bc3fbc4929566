/** What `tollgate-sdk/ai` exports. */
export type { CallData } from './call-reader.ts'
export { meter, meterProvider } from './meter.ts'
export { type MeterFetchOptions, meterFetch } from './meter-fetch.ts'
export type { CallContext, MeterOptions, ReserveOptions } from './metered-call.ts'

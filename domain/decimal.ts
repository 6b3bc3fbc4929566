import type { Brand } from './brand.ts'

/** A quantity in nano units: 1 unit = 1_000_000_000n. Exact up to 9 fractional digits. */
export type Nano = Brand<bigint, 'Nano'>

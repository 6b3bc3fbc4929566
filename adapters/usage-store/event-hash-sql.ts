import { HASH_FACTORS, HASH_LOW_MASK } from '../../domain/event-hash.ts'

/** `eventHash` of a row of `events`, as a Float64. */
export const EVENT_HASH_SQL = `toFloat64(toUInt64(bitAnd(${mixed('murmurHash2_32')}, ${HASH_LOW_MASK})) * ${2 ** 32} + ${mixed('murmurHash3_32')})`

function mixed(hash: string): string {
  const factored = Object.entries(HASH_FACTORS).map(([column, factor]) => `toUInt32(${hash}(${column}) * ${factor})`)
  return factored.reduce((all, each) => `bitXor(${all}, ${each})`, `${hash}(id)`)
}

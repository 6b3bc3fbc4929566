import { HASH_FACTORS, HASH_LOW_MASK, PRINT_NULL, PRINT_SEPARATOR } from '../../../domain/metering/event-hash.ts'

const [SEPARATOR, NULL] = [quoted(PRINT_SEPARATOR), quoted(PRINT_NULL)]

/** `eventHash` of a row of `events`, as a Float64. */
export const EVENT_HASH_SQL = joinedHalves(keyHash('murmurHash2_32'), keyHash('murmurHash3_32'))

/** `eventPrint` of a row of `events`, as a Float64. */
export const EVENT_PRINT_SQL = joinedHalves(printHash('murmurHash2_32'), printHash('murmurHash3_32'))

/** `textHash` of a text expression. */
export function textHashSql(text: string): string {
  return `murmurHash3_32(${text})`
}

function joinedHalves(low: string, high: string): string {
  return `toFloat64(toUInt64(bitAnd(${low}, ${HASH_LOW_MASK})) * ${2 ** 32} + ${high})`
}

function keyHash(hash: string): string {
  const factored = Object.entries(HASH_FACTORS).map(([column, factor]) => `toUInt32(${hash}(${column}) * ${factor})`)
  return factored.reduce((all, each) => `bitXor(${all}, ${each})`, `${hash}(id)`)
}

function printHash(hash: string): string {
  return `${hash}(concatWithSeparator(${SEPARATOR}, tenant, customer, source, id, type, ifNull(subject, ${NULL}), data, ifNull(attributes, ${NULL}),
    toString(toUnixTimestamp64Milli(occurred_at)), toString(toUnixTimestamp64Milli(received_at))))`
}

function quoted(character: string): string {
  return `char(${character.charCodeAt(0)})`
}

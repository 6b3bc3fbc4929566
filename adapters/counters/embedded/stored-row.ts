/**
 * A row to write: a JSON value per key, or undefined to remove the key. One table holds all rows, so that a write of many is one
 * transaction; the first part of a key says what kind of row it is.
 */
export type CounterRow = { readonly key: RowKey; readonly value: RowValue | undefined }
export type RowKey = readonly (string | number)[]
export type RowValue = readonly unknown[]

/**
 * What is written: a JSON value per key, and undefined to remove it. One table; the first part of a key says what the
 * row is, so that one write of many rows is one transaction.
 */
export type CounterRow = { readonly key: RowKey; readonly value: RowValue | undefined }
export type RowKey = readonly (string | number)[]
export type RowValue = readonly unknown[]

/** Dimension name to the values that pass; an event passes when every named dimension has one of its values. */
export type DimensionFilter = Readonly<Record<string, readonly string[]>>

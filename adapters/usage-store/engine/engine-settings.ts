/** Settings of both engines: numbers beyond 53 bits leave as strings, and exact decimals are never floats. */
export const ENGINE_SETTINGS = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  // Rows of late events may belong to any month; the events' age bounds the number of parts.
  max_partitions_per_insert_block: '0',
  // An insert is complete when it returns, and our rows may be written twice, so the engine need not look for repeats.
  async_insert: 0,
  insert_deduplicate: 0,
  // Rewrites are hidden by reads and removed when parts merge; looking for them within each insert costs a sixth of it.
  optimize_on_insert: 0,
  // Rows of dropped meters are hidden from readers at once, though the engine removes them later.
  apply_mutations_on_fly: 1,
} as const

/** JSON text that keeps bigints and maps: `{"$n":"12"}` and `{"$m":[[key,value]]}`. */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === 'bigint') return { $n: String(each) }
    return each instanceof Map ? { $m: [...each] } : each
  })
}

/** What `exactJson` was made of, from the parsed JSON. */
export function fromExactJson<Value>(stored: unknown): Value {
  return revived(stored) as Value
}

function revived(stored: unknown): unknown {
  if (Array.isArray(stored)) return stored.map(revived)
  if (typeof stored !== 'object' || stored === null) return stored
  const { $n, $m } = stored as { readonly $n?: string; readonly $m?: readonly (readonly [unknown, unknown])[] }
  if ($n !== undefined) return BigInt($n)
  if ($m !== undefined) return new Map($m.map(([key, value]) => [revived(key), revived(value)] as const))
  return Object.fromEntries(Object.entries(stored).map(([key, value]) => [key, revived(value)]))
}

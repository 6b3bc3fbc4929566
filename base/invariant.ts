/** Crashes on a bug of ours; never for what a caller or the world did wrong. */
export function invariant(condition: unknown, whatMustHold: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${whatMustHold}`)
}

/** Ends every exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`invariant broken: unexpected case ${JSON.stringify(value)}`)
}

/** One bound of the server, as `docs/limits.md` lists it. Each room has a table of its bounds and reads its figures from there. */
export type Bound = {
  /** The bounded thing, in the words of a reader of the list. */
  readonly what: string
  readonly most: number
  readonly unit: string
  /** The owner of the bound: `key`, `tenant`, `address`, `process`, `answer`, `query`. */
  readonly per: string
  /** The code of the refusal at the bound; null where nothing is refused, and `what` says what happens. */
  readonly code: string | null
  /** The setting that changes it. */
  readonly setting?: string
  /** The test that reaches it: its file, ` > `, and words of its title. */
  readonly test: `${string} > ${string}`
}

export type Bounds = Readonly<Record<string, Bound>>

/** One bounded thing of the server, as `docs/limits.md` lists it. Each room has a table of its own and reads its figures from there. */
export type Bound = {
  /** What is bounded, as a reader of the list understands it. */
  readonly what: string
  readonly most: number
  readonly unit: string
  /** Whose share it is: `key`, `tenant`, `address`, `process`, `answer`, `query`. */
  readonly per: string
  /** What is answered where it is reached; null where nothing is refused, and `what` says what happens. */
  readonly code: string | null
  /** The setting that changes it. */
  readonly setting?: string
}

export type Bounds = Readonly<Record<string, Bound>>

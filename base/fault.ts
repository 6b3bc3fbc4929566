/** The world's failure: a disk, a broker, a database. `message` is for the log, `publicText` for the caller. */
export class Fault extends Error {
  readonly code: string
  readonly canRetry: boolean
  readonly publicText: string

  constructor(code: string, message: string, options: { canRetry: boolean; publicText: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.code = code
    this.canRetry = options.canRetry
    this.publicText = options.publicText
  }
}

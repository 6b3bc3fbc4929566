/**
 * Files of customers: written once under a name of ours, never changed. Errors are `Fault`s: `files_unavailable` (canRetry).
 */
export type FileStore = {
  /** Resolves when all bytes are durable. When `bytes` or the store fails, nothing is left under the name. */
  put(name: FileName, bytes: AsyncIterable<Uint8Array>): Promise<void>
  /** Null when there is no such file. Half-open; all of it when absent. */
  get(name: FileName, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | null>
  /** An address of the store from which the bytes come without us, for a minute; null where the bytes come from us. */
  link(name: FileName, of: { readonly disposition: string; readonly type: string }): Promise<string | null>
  /** Also where there is none. */
  remove(name: FileName): Promise<void>
  stop(): Promise<void>
}

/** `tenant/id`: of one depth, and never a text that somebody gave. */
export type FileName = { readonly tenant: string; readonly id: string }
export type ByteRange = { readonly from: number; readonly to: number }

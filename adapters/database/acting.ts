import { AsyncLocalStorage } from 'node:async_hooks'

/** Who makes the changes of a piece of work, for the audit log. Work of the system itself has nobody: its documents are in the book. */
export type Acting = {
  /** `key/<id>`, or `command/<name>`. */
  readonly actor: string
  readonly route?: string
  readonly address?: string
  readonly requestId?: string
}

const acting = new AsyncLocalStorage<Acting>()

/** Every transaction that begins within `work` is on record as this one's. */
export function actAs<Value>(who: Acting, work: () => Value): Value {
  return acting.run(who, work)
}

export function currentlyActing(): Acting | null {
  return acting.getStore() ?? null
}

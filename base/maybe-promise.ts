/** A value that is known at once in most cases and then is no promise: on the path of a decision each wait costs more than the answer. */
export type MaybePromise<Value> = Value | Promise<Value>

/** Calls `next` with the value, at once when it is known. An error is thrown when the value is known, and rejects when it was waited for. */
export function whenKnown<Value, Next>(value: MaybePromise<Value>, next: (value: Value) => MaybePromise<Next>): MaybePromise<Next> {
  return value instanceof Promise ? value.then(next) : next(value)
}

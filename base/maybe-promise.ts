/** What is mostly known at once and then is not a promise: on the path of a decision each wait costs more than the answer. */
export type MaybePromise<Value> = Value | Promise<Value>

/** `next` of the value, at once when it is known. Throws where it is, and rejects where it was waited for. */
export function whenKnown<Value, Next>(value: MaybePromise<Value>, next: (value: Value) => MaybePromise<Next>): MaybePromise<Next> {
  return value instanceof Promise ? value.then(next) : next(value)
}

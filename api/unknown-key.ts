import { isRefusal, type Outcome, type Refusal, refuse } from '../domain/refusal.ts'

type Kind = 'meter' | 'product' | 'plan' | 'customer'

/** 404 for a key or id in the path. A key in a body that names nothing is a 400 of the same code. */
export function unknownKey(kind: Kind, key: string): Refusal {
  const detail = `There is no ${kind} ${key}; create it with PUT /v1/${kind}s/${encodeURIComponent(key)}.`
  return refuse(`unknown_${kind}`, detail, { status: 404 })
}

/** The catalog cannot know that the key was in the path. */
export function inPath<Value>(outcome: Outcome<Value>, kind: Kind, key: string): Outcome<Value> {
  return isRefusal(outcome) && outcome.code === `unknown_${kind}` ? unknownKey(kind, key) : outcome
}

import { type Refusal, refuse } from '../../domain/refusal.ts'

/** 404 for a key or id in the path. A key in a body that names nothing is a 400 of the same code. */
export function unknownKey(kind: 'meter' | 'product' | 'plan' | 'customer', key: string): Refusal {
  const detail = `There is no ${kind} ${key}; create it with PUT /v1/${kind}s/${encodeURIComponent(key)}.`
  return refuse(`unknown_${kind}`, detail, { status: 404 })
}

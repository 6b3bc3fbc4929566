import { readFileSync } from 'node:fs'

/** A worked case of model calls: what goes in, and exactly what comes out. */
export type AiVector = { readonly id: string; readonly why: string; readonly input: Input; readonly expected: Expected }
type Input = Readonly<Record<string, unknown>> & { readonly surface: string; readonly usage: unknown; readonly response?: unknown }
type Expected = Readonly<Record<string, unknown>>

type Kind = 'usage' | 'stream' | 'otlp' | 'cost'

const file = new URL('../../data/ai-vectors.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly (AiVector & { readonly kind: Kind })[] }

/** By name, as `test.each` names a test after it. */
export function aiVectors(kind: Kind): readonly (readonly [string, AiVector])[] {
  return cases.filter((one) => one.kind === kind).map((one) => [one.id, one])
}

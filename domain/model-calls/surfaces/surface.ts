import type { ToldUsage } from '../canonical-usage.ts'
import { providerName } from '../provider-names.ts'
import { type Json, text } from '../told-values.ts'

/** What one interface's usage says; the first is the call itself, others are calls that were made inside it. */
export type Surface = (usage: Json, response: Json) => readonly [ToldUsage, ...ToldUsage[]]

/** The provider that the answer names, else the one of the surface. */
export function providerIn(response: Json, usual: string | null): string | null {
  const told = text(response.provider)
  return told === null ? usual : providerName(told)
}

/** The tier as served: the answer's word comes before the usage's. */
export function tierIn(response: Json, usage: Json): string | null {
  return text(response.service_tier)?.toLowerCase() ?? text(usage.service_tier)?.toLowerCase() ?? null
}

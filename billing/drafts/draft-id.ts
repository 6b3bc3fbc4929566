import type { DocumentKind } from '../../domain/billing/invoice.ts'
import type { InstantMs, SubscriptionId } from '../../domain/identity.ts'

/** Which document of which subscription a draft will be. */
export type DraftName = { readonly subscription: SubscriptionId; readonly closesAtMs: InstantMs; readonly kind: DocumentKind }

/** The draft of a subscription's document by what it closes, so that it keeps its id from read to read. */
export function draftId({ subscription, closesAtMs, kind }: DraftName): string {
  return `draft_${closesAtMs.toString(36)}_${kind}_${subscription}`
}

/** Null for an id that is of no such draft. */
export function draftNameOf(id: string): DraftName | null {
  const [, closes = '', kind, subscription] = PATTERN.exec(id) ?? []
  const closesAtMs = Number.parseInt(closes, 36)
  if (kind === undefined || subscription === undefined || !Number.isSafeInteger(closesAtMs)) return null
  return { subscription: subscription as SubscriptionId, closesAtMs: closesAtMs as InstantMs, kind: kind as DocumentKind }
}

const PATTERN = /^draft_([0-9a-z]{1,10})_(opening|cycle|closing|change|adjustment)_(.+)$/

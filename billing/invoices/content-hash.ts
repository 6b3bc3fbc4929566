import { createHash } from 'node:crypto'
import { invariant } from '../../base/invariant.ts'

/**
 * SHA-256, in hex, of the hash of the document numbered before it in its series, followed by the document's canonical JSON. So
 * nobody edits, drops or adds a document unseen, as every later hash would differ.
 */
export function contentHash(document: Json, previousHash: string | null): string {
  return createHash('sha256')
    .update(`${previousHash ?? ''}\n${canonicalJson(document)}`)
    .digest('hex')
}

/** The first place where two documents of a chain do not match, or null when the chain is whole. */
export function brokenLink(chain: readonly ChainLink[]): number | null {
  let previousHash: string | null = null
  for (const [index, link] of chain.entries()) {
    if (link.previousHash !== previousHash || link.contentHash !== contentHash(link.document, previousHash)) return index
    previousHash = link.contentHash
  }
  return null
}

export type ChainLink = { readonly document: Json; readonly contentHash: string; readonly previousHash: string | null }

/** The JSON of a record. Money and quantities are texts, so that no reader turns them into floats. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Keys in the order of their UTF-16 units, no blanks, whole numbers alone: the same record always has the same bytes. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') {
    invariant(typeof value !== 'number' || Number.isSafeInteger(value), `a record holds whole numbers, and not ${value}`)
    return JSON.stringify(value)
  }
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.keys(value)
    .toSorted()
    .flatMap((key) => (value[key] === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(value[key])}`]))
  return `{${members.join(',')}}`
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

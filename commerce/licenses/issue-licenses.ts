import type { LicensePolicyStore } from '../../adapters/database/license-policies/license-policy-store.ts'
import type { License, LicenseStore } from '../../adapters/database/licenses/license-store.ts'
import { endOfTerm } from '../../domain/catalog/plan-selling.ts'
import type { CustomerKey, InstantMs, ProductKey, TenantKey } from '../../domain/identity.ts'
import type { LicenseTerms } from '../../domain/selling/license-terms.ts'
import type { Vault } from '../vault.ts'
import { blocksKey, LICENSE_KEY_BYTES, uuidKey } from './license-key.ts'

export type Issue = {
  readonly customer: CustomerKey
  readonly product: ProductKey
  readonly policy: string
  /** Order or subscription; null for one made by hand. */
  readonly owner: string | null
  readonly deliverable: string | null
  /** One key a unit, or one key for all of them, as the policy says. */
  readonly quantity: number
  readonly issuedMs: InstantMs
}

export type IssueDeps = { readonly vault: Vault; readonly randomBytes: (count: number) => Uint8Array }

/** Licenses of one deliverable. Units that have theirs already get no other: a repeat issues nothing. */
export async function issueLicenses(
  { licenses, policies }: { readonly licenses: LicenseStore; readonly policies: Pick<LicensePolicyStore, 'get'> },
  deps: IssueDeps,
  tenant: TenantKey,
  issue: Issue,
): Promise<readonly License[]> {
  const policy = await policies.get(tenant, issue.policy)
  if (policy === null) return []
  const { key: _key, createdMs: _created, updatedMs: _updated, ...terms } = policy
  const isPerKey = terms.perUnit !== 'activations'
  const units = isPerKey ? issue.quantity : 1
  const made = Array.from({ length: units }, (_, at) => newLicense(licenses.createId(issue.issuedMs), deps, issue, terms, at + 1, isPerKey))
  return await licenses.issue(tenant, made)
}

function newLicense(
  id: string,
  { vault, randomBytes }: IssueDeps,
  { customer, product, policy, owner, deliverable, quantity, issuedMs }: Issue,
  terms: LicenseTerms,
  unit: number,
  isPerKey: boolean,
): License {
  const { validFor = null } = terms
  return {
    ...{ id, customer, product, policy, owner, deliverable, unit, terms, quantity: isPerKey ? 1 : quantity, issuedMs },
    ...newKey(vault, randomBytes, terms),
    ...{ expiresMs: validFor === null ? null : endOfTerm(issuedMs, validFor), revokedMs: null, suspendedBy: [], everActivated: false },
  }
}

export function newKey(vault: Vault, randomBytes: IssueDeps['randomBytes'], { format, prefix }: LicenseTerms) {
  const chance = randomBytes(LICENSE_KEY_BYTES)
  const { text, body, lastFour } = format === 'uuid' ? uuidKey(chance) : blocksKey(chance, prefix)
  return { keyHmac: vault.mac('license-key', body), keySealed: vault.seal('license-key', text), lastFour }
}

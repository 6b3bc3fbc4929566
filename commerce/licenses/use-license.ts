import { hash } from 'node:crypto'
import type { License } from '../../adapters/database/licenses/license-store.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import type { Activation } from '../../domain/selling/license-terms.ts'
import type { SellingStores, WriteSale } from '../selling-stores.ts'
import type { Vault } from '../vault.ts'
import { decideActivation, isLive, type NamedActivation, REPLACEMENT_WINDOW_MS, type ValidationCode, validateLicense } from './license.ts'
import { readLicenseKey } from './license-key.ts'

export type UseDeps = {
  readonly write: WriteSale
  readonly licenses: SellingStores['licenses']
  readonly vault: Vault
}

export type Instance = { readonly name: string; readonly fingerprint?: string | undefined; readonly metadata: object }
export type Activated = { readonly license: License; readonly activation: Activation; readonly isNew: boolean }

/**
 * Exactly as many activations as may be, under any concurrency: the license's row is written first, so that the next one waits for this
 * transaction; live activations are counted by the statement after it, which sees what those before it committed. Refuses
 * `unknown_key`, and as `decideActivation`.
 */
export async function activateLicense(
  { write, vault }: UseDeps,
  tenant: TenantKey,
  typedKey: string,
  instance: Instance,
  nowMs: InstantMs,
): Promise<Outcome<Activated>> {
  const key = readLicenseKey(typedKey)
  if (key === null) return refuse('unknown_key', { key: null })
  const fingerprint = fingerprintOf(instance.fingerprint)
  return await write(async ({ licenses }): Promise<Outcome<Activated>> => {
    const license = await licenses.claim(tenant, vault.mac('license-key', key.body))
    if (license === null) return refuse('unknown_key', { key: null })
    const activations = await licenses.activationsSince(tenant, license.id, (nowMs - REPLACEMENT_WINDOW_MS) as InstantMs)
    const decision = decideActivation(license, activations, fingerprint, nowMs)
    if (isRefusal(decision)) return decision
    if (decision.kind === 'same') {
      await licenses.see(tenant, decision.activation.id, nowMs)
      return { license, activation: { ...decision.activation, seenMs: nowMs }, isNew: false }
    }
    const activation: Activation = {
      ...{ id: licenses.createActivationId(nowMs), name: instance.name, fingerprint, createdMs: nowMs, seenMs: nowMs, endedMs: null },
    }
    await licenses.activate(tenant, license.id, { ...activation, metadata: instance.metadata })
    return { license, activation, isNew: true }
  })
}

export type Validated = { readonly code: ValidationCode; readonly license: License | null; readonly activation: Activation | null }

/** Whether the license holds for what is named. A valid activation with a lease is renewed by it. */
export async function checkLicense(
  { licenses, vault }: Pick<UseDeps, 'licenses' | 'vault'>,
  tenant: TenantKey,
  asked: { readonly key: string; readonly activation?: string | undefined; readonly fingerprint?: string | undefined },
  nowMs: InstantMs,
): Promise<Validated> {
  const key = readLicenseKey(asked.key)
  const license = key === null ? null : await licenses.byKey(tenant, vault.mac('license-key', key.body))
  const fingerprint = fingerprintOf(asked.fingerprint)
  const named =
    license === null || asked.activation === undefined ? null : await findActivation(licenses, tenant, license, asked.activation)
  const code = validateLicense(license, named, fingerprint, nowMs)
  const activation = named === 'unknown' ? null : named
  if (license !== null && activation !== null && code === 'valid' && license.terms.leaseMinutes !== undefined) {
    await licenses.see(tenant, activation.id, nowMs)
  }
  return { code, license, activation }
}

async function findActivation(
  licenses: SellingStores['licenses'],
  tenant: TenantKey,
  { id }: License,
  activation: string,
): Promise<NamedActivation> {
  return (await licenses.activation(tenant, id, activation)) ?? 'unknown'
}

/** Also the second time. Refuses `unknown_key`, `unknown_activation`. */
export async function deactivateLicense(
  { licenses, vault }: Pick<UseDeps, 'licenses' | 'vault'>,
  tenant: TenantKey,
  asked: { readonly key: string; readonly activation: string },
  nowMs: InstantMs,
): Promise<Outcome<{ readonly wasLive: boolean }>> {
  const key = readLicenseKey(asked.key)
  const license = key === null ? null : await licenses.byKey(tenant, vault.mac('license-key', key.body))
  if (license === null) return refuse('unknown_key', { key: null })
  const activation = await licenses.activation(tenant, license.id, asked.activation)
  if (activation === null) return refuse('unknown_activation', { activation: asked.activation })
  const wasLive = isLive(license, activation, nowMs)
  const ended = await licenses.end(tenant, license.id, activation.id, nowMs)
  return { wasLive: wasLive && ended }
}

function fingerprintOf(given: string | undefined): string | null {
  return given === undefined ? null : hash('sha256', given, 'base64url')
}

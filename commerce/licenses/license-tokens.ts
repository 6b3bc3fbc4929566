import { createPrivateKey, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto'
import type { LicenseSigningKey, LicenseSigningKeyStore } from '../../adapters/database/license-signing-keys/license-signing-key-store.ts'
import type { License } from '../../adapters/database/licenses/license-store.ts'
import type { InstantMs } from '../../domain/identity.ts'
import type { Activation } from '../../domain/selling/license-terms.ts'
import { DAY_MS, MINUTE_MS } from '../../domain/time/durations.ts'
import type { Vault } from '../vault.ts'
import { tokenEndMs } from './license.ts'

/** Tokens that prove a license offline: compact JWS, signed with Ed25519, at most 2 KB, without the key and without an address. */
export type LicenseTokens = {
  /** Null where the policy gives none. */
  issue(license: License, activation: Activation, nowMs: InstantMs): Promise<string | null>
  /** The public keys of tokens that are not over. */
  publicKeys(nowMs: InstantMs): Promise<readonly LicenseSigningKey[]>
}

/** A key signs this long; it is published until the last of its tokens is over, which is at most a year later. */
const SIGNS_FOR_MS = 90 * DAY_MS
const TOKEN_MS_MAX = 365 * DAY_MS
/** Another process may have made a newer key meanwhile. */
const READ_AGAIN_MS = 10 * MINUTE_MS
export const LICENSE_TOKEN_TYPE = 'license+jwt'

type Signer = { readonly kid: string; readonly key: KeyObject; readonly createdMs: InstantMs; readonly readMs: InstantMs }

export function createLicenseTokens(store: LicenseSigningKeyStore, vault: Vault, issuer: string): LicenseTokens {
  let kept: Promise<Signer> | null = null
  let keptMs = Number.NEGATIVE_INFINITY

  /** The key of now; the first one who needs one makes it. */
  function signer(nowMs: InstantMs): Promise<Signer> {
    if (kept === null || nowMs - keptMs >= READ_AGAIN_MS || nowMs < keptMs) {
      keptMs = nowMs
      kept = readSigner(nowMs).catch((error: unknown) => {
        kept = null
        throw error
      })
    }
    return kept
  }

  async function readSigner(nowMs: InstantMs): Promise<Signer> {
    const [newest] = await store.list()
    const key = newest !== undefined && nowMs - newest.createdMs < SIGNS_FOR_MS ? newest : await make(nowMs)
    const pem = vault.open('license-signing', key.sealed)
    return { kid: key.kid, key: createPrivateKey(pem), createdMs: key.createdMs, readMs: nowMs }
  }

  async function make(nowMs: InstantMs): Promise<LicenseSigningKey> {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const { x = '' } = publicKey.export({ format: 'jwk' })
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const made = { kid: `lk_${hash('sha256', x).slice(0, 24)}`, publicKey: x, sealed: vault.seal('license-signing', pem), createdMs: nowMs }
    await store.add(made)
    return made
  }

  return {
    async issue(license, activation, nowMs) {
      const endMs = tokenEndMs(license, nowMs)
      if (endMs === null) return null
      const { kid, key } = await signer(nowMs)
      const claims = {
        ...{ v: 1, iss: issuer, aud: license.product, sub: license.id, act: activation.id },
        ...(activation.fingerprint !== null && { fp: activation.fingerprint }),
        ...{ pol: license.policy, qty: license.quantity, iat: seconds(nowMs), exp: seconds(endMs) },
        end: license.expiresMs === null ? null : seconds(license.expiresMs),
      }
      const signed = `${part({ alg: 'EdDSA', typ: LICENSE_TOKEN_TYPE, kid })}.${part(claims)}`
      return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`
    },
    async publicKeys(nowMs) {
      await signer(nowMs)
      const keys = await store.list()
      return keys.filter(({ createdMs }) => nowMs < createdMs + SIGNS_FOR_MS + TOKEN_MS_MAX)
    },
  }
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** A part of a second after the end would prove what is over: rounded down. */
function seconds(ms: InstantMs): number {
  return Math.floor(ms / 1_000)
}

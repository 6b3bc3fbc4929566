import { randomBytes } from 'node:crypto'
import type { ApiKeyStore } from '../adapters/database/keys/api-key-store.ts'
import type { TenantKey } from '../domain/identity.ts'
import type { KeyKind } from '../domain/principal.ts'
import { hashSecret } from './http/keys/key-ring.ts'
import { KEY_CHANCE_BYTES, keyText } from './http/keys/key-text.ts'

export const DEFAULT_TENANT = 'default' as TenantKey

/** The text of a new key: 256 random bits, so that it cannot be guessed from the stored hash. */
export function createSecret(kind: KeyKind = 'secret'): string {
  return keyText(kind, randomBytes(KEY_CHANCE_BYTES))
}

/**
 * Makes sure that tenant `default` has an admin key: the configured one, which replaces the one configured before, or a new one when
 * the tenant has no key at all. Returns the new secret, which is stored nowhere, or null.
 */
export async function ensureAdminKey(
  keys: Pick<ApiKeyStore, 'configure' | 'create' | 'hasAny'>,
  configured: string | null,
): Promise<string | null> {
  if (configured !== null) {
    await keys.configure(DEFAULT_TENANT, hashSecret(configured))
    return null
  }
  if (await keys.hasAny(DEFAULT_TENANT)) return null
  const secret = createSecret()
  await keys.create({ tenant: DEFAULT_TENANT, name: 'first admin key', scopes: ['admin'], secretHash: hashSecret(secret) })
  return secret
}

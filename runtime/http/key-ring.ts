import { hash } from 'node:crypto'
import type { Catalog } from '../../adapters/catalog/catalog.ts'
import type { Principal } from '../../domain/principal.ts'
import type { FindPrincipal } from './authentication.ts'

/** The first found go first. A principal takes some 200 bytes. */
const CACHED_KEYS_MAX = 10_000

/**
 * Finds whom a secret belongs to, and remembers it until the catalog says that a key changed. Only keys that exist are
 * remembered: a flood of wrong ones cannot push the right ones out.
 */
export function createKeyRing(catalog: Pick<Catalog, 'findKey' | 'onChange'>): FindPrincipal {
  const principals = new Map<string, Principal>()
  let changes = 0
  catalog.onChange((change) => {
    if (change.kind !== 'key' && change.kind !== 'everything') return
    changes += 1
    principals.clear()
  })

  async function look(secretHash: string): Promise<Principal | null> {
    const changesBefore = changes
    const principal = await catalog.findKey(secretHash)
    // An answer from before a change must not outlive it.
    if (principal !== null && changes === changesBefore) {
      if (principals.size >= CACHED_KEYS_MAX) {
        const oldest = principals.keys().next().value
        if (oldest !== undefined) principals.delete(oldest)
      }
      principals.set(secretHash, principal)
    }
    return principal
  }

  return (secret) => {
    const secretHash = hashSecret(secret)
    return principals.get(secretHash) ?? look(secretHash)
  }
}

/** How keys are stored: the secrets are 256 random bits, so a plain hash cannot be guessed back. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret)
}

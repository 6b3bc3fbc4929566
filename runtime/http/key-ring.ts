import { hash } from 'node:crypto'
import type { Catalog } from '../../adapters/database/catalog.ts'
import type { Principal } from '../../domain/principal.ts'
import type { FindPrincipal } from './authentication.ts'

/** The first found go first. A principal and its secret take some 300 bytes. */
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

  async function look(secret: string): Promise<Principal | null> {
    const changesBefore = changes
    const principal = await catalog.findKey(hashSecret(secret))
    // An answer from before a change must not outlive it.
    if (principal !== null && changes === changesBefore) {
      if (principals.size >= CACHED_KEYS_MAX) {
        const oldest = principals.keys().next().value
        if (oldest !== undefined) principals.delete(oldest)
      }
      principals.set(secret, principal)
    }
    return principal
  }

  // By the secret itself, which every request brings into memory anyway: hashing it each time costs more than all else here.
  return (secret) => principals.get(secret) ?? look(secret)
}

/** How keys are stored: the secrets are 256 random bits, so a plain hash cannot be guessed back. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret)
}

import { hash } from 'node:crypto'
import type { ChangeFeed } from '../../adapters/database/changes.ts'
import type { ApiKeyStore } from '../../adapters/database/keys/api-key-store.ts'
import { createBoundedMap } from '../../base/bounded-map.ts'
import type { Principal } from '../../domain/principal.ts'
import type { FindPrincipal } from './authentication.ts'

/** A principal and its secret take some 300 bytes. */
const CACHED_KEYS_MAX = 10_000

/**
 * Finds whom a secret belongs to, and remembers it until it is announced that a key changed. Only keys that exist are
 * remembered: a flood of wrong ones cannot push the right ones out.
 */
export function createKeyRing(keys: Pick<ApiKeyStore, 'find'>, feed: Pick<ChangeFeed, 'subscribe'>): FindPrincipal {
  const principals = createBoundedMap<string, Principal>(CACHED_KEYS_MAX)
  let changes = 0
  const forgetAll = () => {
    changes += 1
    principals.clear()
  }
  feed.subscribe({ topics: ['keys'], changed: forgetAll, missed: forgetAll })

  async function look(secret: string): Promise<Principal | null> {
    const changesBefore = changes
    const principal = await keys.find(hashSecret(secret))
    // An answer from before a change must not outlive it.
    if (principal !== null && changes === changesBefore) principals.set(secret, principal)
    return principal
  }

  // By the secret itself, which every request brings into memory anyway: hashing it each time costs more than all else here.
  return (secret) => principals.get(secret) ?? look(secret)
}

/** How keys are stored: the secrets are 256 random bits, so a plain hash cannot be guessed back. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret)
}

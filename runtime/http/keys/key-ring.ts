import { hash } from 'node:crypto'
import type { ChangeFeed } from '../../../adapters/database/changes.ts'
import type { ApiKeyStore, FoundKey } from '../../../adapters/database/keys/api-key-store.ts'
import { addressMatcher } from '../../../base/address-range.ts'
import { createBoundedMap } from '../../../base/bounds/bounded-map.ts'
import type { Clock } from '../../../base/clock.ts'
import { createSharedWork } from '../../../base/shared-work.ts'
import { END_OF_TIME_MS } from '../../../domain/identity.ts'
import type { Principal } from '../../../domain/principal.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import { HTTP_BOUNDS } from '../http-bounds.ts'
import type { FindPrincipal } from './authentication.ts'
import { isBrokenKeyText } from './key-text.ts'
import type { KeyUses, UsedKey } from './key-uses.ts'
import { createWrongKeys } from './wrong-keys.ts'

/** How long a text that was no key counts as none, unless a change of keys is announced. */
const UNKNOWN_FOR_MS = 5_000

export type KeyRingDeps = {
  readonly keys: Pick<ApiKeyStore, 'find'>
  readonly feed: Pick<ChangeFeed, 'subscribe'>
  readonly clock: Clock
  /** Wrong keys from one address within a minute. */
  readonly wrongKeysMax: number
  /** Hears of a key at its first use since it was asked for the last time. */
  readonly uses: Pick<KeyUses, 'note'>
}

/** A key as requests find it. */
type KnownKey = UsedKey & Pick<FoundKey, 'principal' | 'untilMs'> & { readonly isAllowedFrom: ((address: string) => boolean) | null }

/**
 * Finds the owner of a secret, and remembers it until a change of keys is announced. Known keys are remembered apart from wrong
 * ones, so that a flood of wrong keys cannot push the right ones out. An address that sent too many wrong keys can still use
 * known ones, but none is looked up for it.
 */
export function createKeyRing({ keys, feed, clock, wrongKeysMax, uses }: KeyRingDeps): FindPrincipal {
  const known = createBoundedMap<string, KnownKey>(HTTP_BOUNDS.cachedKeys.most)
  const unknown = createBoundedMap<string, number>(HTTP_BOUNDS.unknownKeys.most)
  const wrong = createWrongKeys(clock, wrongKeysMax)
  const lookups = createSharedWork<string, KnownKey | null>()
  let lookupsUnderWay = 0
  let changes = 0
  const forgetAll = () => {
    changes += 1
    known.clear()
    unknown.clear()
  }
  feed.subscribe({ topics: ['keys'], changed: forgetAll, missed: forgetAll })

  async function look(secret: string): Promise<KnownKey | null> {
    const lookupsMax = HTTP_BOUNDS.keyLookups.most
    if (lookupsUnderWay >= lookupsMax) throw new RefusalError(refuse('too_many_key_lookups', { lookupsMax }))
    const changesBefore = changes
    lookupsUnderWay++
    try {
      const found = await keys.find(hashSecret(secret))
      const key = found === null ? null : knownKey(found)
      // An answer from before a change must not outlive the change.
      if (changes === changesBefore) {
        if (key === null) unknown.set(secret, clock.now())
        else known.set(secret, key)
      }
      return key
    } finally {
      lookupsUnderWay--
    }
  }

  function admit(key: KnownKey, request: { readonly ip: string }): Principal {
    if (key.isAllowedFrom !== null && !key.isAllowedFrom(request.ip)) {
      throw new RefusalError(refuse('address_not_allowed', { address: request.ip }))
    }
    if (!key.isNoted) uses.note(key)
    return key.principal
  }

  // By the secret itself, which every request brings into memory anyway: hashing it each time costs more than everything else here.
  return (secret, request) => {
    const key = known.get(secret)
    if (key !== undefined && (key.untilMs >= END_OF_TIME_MS || clock.now() < key.untilMs)) return admit(key, request)
    const address = request.ip
    const waitMs = wrong.waitMs(address)
    if (waitMs > 0) throw new RefusalError(refuse('too_many_wrong_keys', { wrongKeysMax, retryAfterSeconds: Math.ceil(waitMs / 1_000) }))
    const refusedAtMs = unknown.get(secret)
    if (isBrokenKeyText(secret) || (refusedAtMs !== undefined && clock.now() - refusedAtMs < UNKNOWN_FOR_MS)) {
      wrong.count(address)
      return null
    }
    return lookups(secret, () => look(secret)).then((found) => {
      if (found !== null) return admit(found, request)
      wrong.count(address)
      return null
    })
  }
}

function knownKey({ principal, untilMs, allowedFrom }: FoundKey): KnownKey {
  return { principal, untilMs, isNoted: false, isAllowedFrom: allowedFrom.length === 0 ? null : addressMatcher(allowedFrom) }
}

/** The stored form of keys: the secrets are 256 random bits, so a plain hash cannot be reversed by guessing. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret)
}

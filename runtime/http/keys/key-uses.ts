import type { Logger } from 'pino'
import type { ApiKeyStore } from '../../../adapters/database/keys/api-key-store.ts'
import type { Cancel, Clock } from '../../../base/clock.ts'
import type { Principal } from '../../../domain/principal.ts'

export type UsedKey = { readonly principal: Pick<Principal, 'keyId'>; isNoted: boolean }

/** When keys were used last, to within a minute: written once a minute for all of them, so that a request costs one comparison. */
export type KeyUses = {
  note(key: UsedKey): void
  start(): void
  /** Writes what was noted since. */
  stop(): Promise<void>
}

const WRITE_INTERVAL_MS = 60_000
/** A key beyond it is noted in the next minute. */
const NOTED_MAX = 10_000

export type KeyUsesDeps = {
  readonly keys: Pick<ApiKeyStore, 'used'>
  readonly clock: Pick<Clock, 'every'>
  readonly log: Pick<Logger, 'warn'>
}

export function createKeyUses({ keys, clock, log }: KeyUsesDeps): KeyUses {
  let noted: UsedKey[] = []
  let cancel: Cancel | null = null

  async function write(): Promise<void> {
    const used = noted
    if (used.length === 0) return
    noted = []
    for (const key of used) key.isNoted = false
    try {
      await keys.used([...new Set(used.map(({ principal }) => principal.keyId))])
    } catch (error) {
      // The keys that go on being used are noted again.
      log.warn({ err: error }, 'last uses of keys not written')
    }
  }

  return {
    note(key) {
      if (noted.length >= NOTED_MAX) return
      key.isNoted = true
      noted.push(key)
    },
    start() {
      cancel ??= clock.every(WRITE_INTERVAL_MS, write)
    },
    async stop() {
      cancel?.()
      await write()
    },
  }
}

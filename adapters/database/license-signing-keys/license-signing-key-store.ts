import type { InstantMs } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'

/** Keys that sign license tokens, of all tenants; the private half is sealed under the secret of the installation. */
export type LicenseSigningKeyStore = {
  /** Newest first. */
  list(): Promise<readonly LicenseSigningKey[]>
  add(key: LicenseSigningKey): Promise<void>
}

export type LicenseSigningKey = {
  readonly kid: string
  /** The raw public key, base64url. */
  readonly publicKey: string
  readonly sealed: string
  readonly createdMs: InstantMs
}

/** A key of each 90 days; those whose tokens are over are not read. */
const KEYS_READ_MAX = 100

declare module '../database-session.ts' {
  interface DatabaseTables {
    license_signing_keys: { kid: string; public_key: string; sealed: string; created_at: Date }
  }
}

export function sqlLicenseSigningKeyStore(session: DatabaseSession): LicenseSigningKeyStore {
  return {
    list: () =>
      session.run(async (db) => {
        const rows = await db.selectFrom('license_signing_keys').selectAll().orderBy('created_at', 'desc').limit(KEYS_READ_MAX).execute()
        return rows.map(({ kid, public_key, sealed, created_at }) => {
          return { kid, publicKey: public_key, sealed, createdMs: created_at.getTime() as InstantMs }
        })
      }),
    add: ({ kid, publicKey, sealed, createdMs }) =>
      session.run(async (db) => {
        const columns = { kid, public_key: publicKey, sealed, created_at: new Date(createdMs) }
        await db
          .insertInto('license_signing_keys')
          .values(columns)
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      }),
  }
}

import type { Logger } from 'pino'
import type { DownloadStore } from '../adapters/database/downloads/download-store.ts'
import type { TenantSettingsStore } from '../adapters/database/tenant-settings/tenant-settings-store.ts'
import type { FileStore } from '../adapters/files/files.ts'
import type { PaymentProvider } from '../adapters/payments/payments.ts'
import type { Clock } from '../base/clock.ts'
import type { SellingStores, WriteSale } from './selling-stores.ts'
import type { Vault } from './vault.ts'

/** What the rooms of commerce are built from. */
export type SellingKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly vault: Vault
  readonly randomBytes: (count: number) => Uint8Array
  readonly payments: PaymentProvider
  readonly files: FileStore
  /** Outside of a transaction; to change several together: `write`. */
  readonly stores: SellingStores & { readonly downloads: DownloadStore }
  readonly write: WriteSale
  readonly settings: Pick<TenantSettingsStore, 'get'>
  /** Where the server is reached from outside, without a slash at its end; null: where the request came to. */
  readonly publicUrl: string | null
  readonly downloadBytesMax: number
}

import type { Holding } from '../../adapters/database/holdings/holding-store.ts'
import type { TenantKey } from '../../domain/identity.ts'
import type { SellingStores } from '../selling-stores.ts'
import type { HoldingState } from './download-access.ts'

/** What stands behind a holding now, read anew for every request: so a refund ends its links at once. */
export async function holdingState(
  { orders }: Pick<SellingStores, 'orders'>,
  tenant: TenantKey,
  { owner, terms, grantedMs }: Holding,
): Promise<HoldingState> {
  const order = await orders.get(tenant, owner)
  const isDownload = terms.kind === 'download'
  return {
    isRefunded: order?.status === 'refunded',
    isDisputed: order?.isDisputed ?? false,
    endedMs: null,
    isPaused: false,
    paidMs: order?.paidMs ?? grantedMs,
    updatesForMonths: isDownload ? (terms.updatesFor?.months ?? null) : null,
    downloadsMax: isDownload ? (terms.maxDownloads ?? null) : null,
    keepsAfterEnd: terms.keepAfterEnd ?? false,
  }
}

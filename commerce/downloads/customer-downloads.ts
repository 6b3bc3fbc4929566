import type { Release } from '../../adapters/database/downloads/download-store.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import type { SellingKit } from '../selling-kit.ts'
import { linkEndMs, refuseRelease } from './download-access.ts'
import { DOWNLOAD_LINK_HOURS_DEFAULT, sealLink } from './download-link.ts'
import { holdingState } from './holding-states.ts'

export type CustomerDownload = {
  readonly name: string
  readonly release: Release
  /** The path of a link of ours. */
  readonly path: string
  readonly endMs: InstantMs
}

/** Every release that a customer has, newest purchase and newest release first, each with a link. */
export async function customerDownloads(
  { stores, vault }: Pick<SellingKit, 'stores' | 'vault'>,
  tenant: TenantKey,
  customer: CustomerKey,
  nowMs: InstantMs,
): Promise<readonly CustomerDownload[]> {
  const endMs = linkEndMs(nowMs, DOWNLOAD_LINK_HOURS_DEFAULT)
  const shown: CustomerDownload[] = []
  for (const holding of await stores.holdings.of(tenant, customer)) {
    const { terms } = holding
    if (terms.kind !== 'download') continue
    const state = await holdingState(stores, tenant, holding)
    const download = await stores.downloads.get(tenant, terms.download)
    for (const release of await stores.downloads.releasesOf(tenant, terms.download)) {
      if (release.withdrawnMs !== null || refuseRelease(state, stateOf(release)) !== null) continue
      const path = `/d/${sealLink(vault, { tenant, holding: holding.id, release: release.id, endMs })}`
      shown.push({ name: download?.name ?? terms.download, release, path, endMs })
    }
  }
  return shown
}

export function stateOf({ createdMs, withdrawnMs, erasedMs }: Release) {
  return { createdMs, withdrawnMs, isErased: erasedMs !== null }
}

export type CustomerLink = { readonly key: string; readonly label: string; readonly url: string }

/** Addresses that a customer has bought and still has. */
export async function customerLinks(
  { stores }: Pick<SellingKit, 'stores'>,
  tenant: TenantKey,
  customer: CustomerKey,
): Promise<readonly CustomerLink[]> {
  const links: CustomerLink[] = []
  for (const holding of await stores.holdings.of(tenant, customer)) {
    const { terms } = holding
    if (terms.kind !== 'link') continue
    const { isRefunded, isDisputed, endedMs, isPaused, keepsAfterEnd } = await holdingState(stores, tenant, holding)
    if (isRefunded || isDisputed || isPaused || (endedMs !== null && !keepsAfterEnd)) continue
    links.push({ key: terms.key, label: terms.label, url: terms.url })
  }
  return links
}

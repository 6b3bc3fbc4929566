import { Readable } from 'node:stream'
import type { Release } from '../../adapters/database/downloads/download-store.ts'
import type { ByteRange } from '../../adapters/files/files.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import type { SellingKit } from '../selling-kit.ts'
import { stateOf } from './customer-downloads.ts'
import { decideDownload } from './download-access.ts'
import { type DownloadLink, openLink } from './download-link.ts'
import { holdingState } from './holding-states.ts'

export type Served = { readonly release: Release; readonly link: DownloadLink }

/**
 * Looks up what a link is for, at every request. A GET is counted once in 24 hours; what is looked up without one is not. Refuses
 * `link_not_valid`, and as `decideDownload`.
 */
export async function takeDownload(
  { vault, write, stores: { downloads } }: Pick<SellingKit, 'vault' | 'write' | 'stores'>,
  token: string,
  isCounted: boolean,
  nowMs: InstantMs,
): Promise<Outcome<Served>> {
  const link = openLink(vault, token)
  if (link === null) return refuse('link_not_valid', {})
  const { tenant } = link
  const release = await downloads.releaseById(tenant, link.release)
  if (release === null) return refuse('link_not_valid', {})
  return await write(async (stores): Promise<Outcome<Served>> => {
    const holding = await stores.holdings.lock(tenant, link.holding)
    if (holding === null) return refuse('link_not_valid', {})
    const counted = await stores.holdings.downloadsOf(tenant, holding.id)
    const ofRelease = counted.filter((each) => each.release === release.id).map(({ atMs }) => atMs)
    const state = await holdingState(stores, tenant, holding)
    const decision = decideDownload(state, stateOf(release), { ofRelease, ofHolding: counted.length }, link, nowMs)
    if (isRefusal(decision)) return decision
    if (isCounted && decision.isNew) await stores.holdings.countDownload(tenant, holding.id, release.id, nowMs)
    return { release, link }
  })
}

export async function bytesOf(
  { files }: Pick<SellingKit, 'files'>,
  { release, link }: Served,
  range: ByteRange | undefined,
): Promise<Outcome<Readable>> {
  const bytes = await files.get({ tenant: link.tenant, id: release.id }, range)
  if (bytes === null) return refuse('release_withdrawn', {})
  return bytes instanceof Readable ? bytes : Readable.from(bytes)
}

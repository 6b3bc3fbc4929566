import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { Vault } from '../vault.ts'

/** What a download link is bound to: nothing of it can be changed without its signature being wrong. */
export type DownloadLink = { readonly tenant: TenantKey; readonly holding: string; readonly release: string; readonly endMs: InstantMs }

export const DOWNLOAD_LINK_HOURS_DEFAULT = 24

export function sealLink(vault: Vault, { tenant, holding, release, endMs }: DownloadLink): string {
  const content = Buffer.from(JSON.stringify([tenant, holding, release, endMs])).toString('base64url')
  return `${content}.${vault.mac('download-link', content)}`
}

/** Null for one that was changed, or is not ours. */
export function openLink(vault: Vault, token: string): DownloadLink | null {
  const [content = '', mac = '', ...rest] = token.split('.')
  if (rest.length > 0 || !vault.isMac('download-link', content, mac)) return null
  const [tenant, holding, release, endMs] = JSON.parse(Buffer.from(content, 'base64url').toString('utf8')) as [
    TenantKey,
    string,
    string,
    InstantMs,
  ]
  return { tenant, holding, release, endMs }
}

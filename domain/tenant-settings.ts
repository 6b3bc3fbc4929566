/** What a tenant sets for itself. */
export type TenantSettings = {
  /** The sites whose pages may call with a publishable key or a customer token, such as `https://app.example.com`. */
  readonly origins: readonly string[]
  /** Addresses to which visitors of a checkout by a publishable key may be led: equal, or below one that ends in a slash. */
  readonly returnUrls: readonly string[]
}

export const TENANT_SETTINGS_DEFAULT: TenantSettings = { origins: [], returnUrls: [] }

/** True for what a browser sends as `Origin`: scheme, host and a port that is not the scheme's own. */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text
}

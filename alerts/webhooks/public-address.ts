import { isIP } from 'node:net'
import { addressMatcher } from '../../base/address-range.ts'

/** Whether webhooks may be sent to an address: to public ones, and to those of networks that the settings allow. */
export function webhookAddresses(allowedNetworks: readonly string[]): (address: string) => boolean {
  const isAllowed = addressMatcher(allowedNetworks)
  return (address) => isAllowed(address) || isPublicAddress(address)
}

/** An address that anyone on the internet can be reached at: none of a private, local, shared, reserved or documentation network. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !isSpecialIPv4(address)
  // An IPv4 address within an IPv6 one goes where the IPv4 address goes, and is none of the global ones.
  return isIP(address) === 6 && isGlobalIPv6(address) && !isSpecialIPv6(address)
}

// The registries of special-purpose addresses (RFC 6890 and its updates).
const isSpecialIPv4 = addressMatcher([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24'],
  ...['192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
])
const isGlobalIPv6 = addressMatcher(['2000::/3'])
const isSpecialIPv6 = addressMatcher(['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'])

import { BlockList, isIP } from 'node:net'

/** True for an IP address, or a network such as `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= BITS[family === 4 ? 'ipv4' : 'ipv6'])
}

/** Whether an address lies in one of the ranges. An IPv4 address that came over IPv6 (`::ffff:10.1.2.3`) is the IPv4 address. */
export function addressMatcher(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const family = familyOf(address)
    list.addSubnet(address, bits === undefined ? BITS[family] : Number(bits), family)
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address))
}

const BITS = { ipv4: 32, ipv6: 128 } as const

function familyOf(address: string): keyof typeof BITS {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6'
}

import { hash } from 'node:crypto'

/** An id in the form of a UUID, always the same for the same thing: vendors have ids of their own, which typed clients parse. */
export function derivedUuid(tenant: string, kind: string, key: string): string {
  const hex = hash('sha256', JSON.stringify([tenant, kind, key]))
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

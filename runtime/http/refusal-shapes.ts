import type { IncomingMessage } from 'node:http'
import type { Vendor, VendorRefusal } from '../../compat/vendor.ts'
import type { Problem } from '../../schemas/http/problem.ts'

/** A refusal below a vendor's path has the vendor's shape, so that its SDK throws the class that its users catch. */
export type RefusalShapes = {
  /** Null for a path of our own. */
  refusalOf(url: string, problem: Problem & { readonly requestId: string }): VendorAnswer | null
  /** Puts a vendor's path before the URL of a request that the vendor claims; null when none claims any. */
  readonly rewriteUrl: ((request: IncomingMessage) => string) | null
}

type VendorAnswer = Required<Omit<VendorRefusal, 'body'>> & { readonly body: Buffer }

const PREFIX = '/compat/'

export function createRefusalShapes(vendors: readonly Vendor[]): RefusalShapes {
  const byName = new Map(vendors.map((vendor) => [vendor.name, vendor]))
  const claiming = vendors.filter(({ claims }) => claims !== undefined)
  return {
    refusalOf(url, problem) {
      if (!url.startsWith(PREFIX)) return null
      const refusal = byName
        .get(url.slice(PREFIX.length).split(/[/?]/, 1)[0] ?? '')
        ?.refusal({ ...problem, path: url.split('?', 1)[0] ?? url })
      if (refusal === undefined) return null
      return { ...refusal, headers: refusal.headers ?? {}, body: Buffer.from(JSON.stringify(refusal.body)) }
    },
    rewriteUrl:
      claiming.length === 0
        ? null
        : ({ url = '/', headers }) => {
            const claimed = url.startsWith(PREFIX) ? undefined : claiming.find(({ claims }) => claims?.(headers))
            return claimed === undefined ? url : `${PREFIX}${claimed.name}${url}`
          },
  }
}

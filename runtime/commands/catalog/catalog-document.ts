import { CouponInputSchema } from '../../../schemas/http/billing-settings.ts'
import { FeatureInputSchema, MeterInputSchema, PlanInputSchema, ProductInputSchema } from '../../../schemas/http/catalog.ts'
import { TaxRateInputSchema } from '../../../schemas/http/tax-rates.ts'

/** A catalog as a file: for each collection the bodies of its puts by their keys. */
export type CatalogDocument = Readonly<Record<string, Readonly<Record<string, object>>>>

/** In the order in which they can be put: what others name comes first. */
export const COLLECTIONS = {
  meters: MeterInputSchema,
  features: FeatureInputSchema,
  products: ProductInputSchema,
  'tax-rates': TaxRateInputSchema,
  coupons: CouponInputSchema,
  plans: PlanInputSchema,
}
export type Collection = keyof typeof COLLECTIONS

/** The fields of an answer that can be put again; what the server says besides (version, times, status) is left out. */
export function bodyOf(collection: Collection, answer: object): object {
  const { properties } = COLLECTIONS[collection]
  return Object.fromEntries(Object.entries(answer).filter(([name]) => Object.hasOwn(properties, name)))
}

/** One thing that an import would put, or that only the server has; an import deletes nothing. */
export type CatalogDifference = {
  readonly collection: string
  readonly key: string
  readonly kind: 'new' | 'changed' | 'only on the server'
  /** Names of the fields that differ. */
  readonly fields: readonly string[]
}

export function catalogDifferences(server: CatalogDocument, file: CatalogDocument): readonly CatalogDifference[] {
  return Object.keys(COLLECTIONS).flatMap((collection) => {
    const [has, wants] = [server[collection] ?? {}, file[collection] ?? {}]
    const keys = [...new Set([...Object.keys(wants), ...Object.keys(has)])].sort()
    return keys.flatMap((key): CatalogDifference[] => {
      const [before, after] = [has[key], wants[key]]
      if (after === undefined) return [{ collection, key, kind: 'only on the server', fields: [] }]
      if (before === undefined) return [{ collection, key, kind: 'new', fields: [] }]
      const fields = differentFields(before, after)
      return fields.length === 0 ? [] : [{ collection, key, kind: 'changed', fields }]
    })
  })
}

/** A field that the file leaves out is emptied by its put, so it differs unless it is empty already. */
function differentFields(before: object, after: object): readonly string[] {
  const [has, wants] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  return [...new Set([...wants.keys(), ...has.keys()])].filter((name) => {
    if (!wants.has(name)) return !EMPTY.has(sortedJson(has.get(name)))
    return sortedJson(has.get(name)) !== sortedJson(wants.get(name))
  })
}

const EMPTY: ReadonlySet<string> = new Set(['null', '{}', '[]', 'false'])

/** The same text for the same value, whatever the order of its properties. */
export function sortedJson(value: unknown, indent?: number): string {
  const sorted = (_name: string, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each
  return JSON.stringify(value ?? null, sorted, indent)
}

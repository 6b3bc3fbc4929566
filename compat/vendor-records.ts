import type { CompatRecord, CompatRecordStore } from '../adapters/database/compat/compat-record-store.ts'
import type { TenantKey } from '../domain/identity.ts'

/** The records of one kind of one vendor; the data have the shape that the vendor's code gives them. */
export type VendorRecords<Data extends object> = {
  get(tenant: TenantKey, key: string): Promise<VendorRecord<Data> | null>
  /** By key, those that there are. */
  getAll(tenant: TenantKey, keys: readonly string[]): Promise<ReadonlyMap<string, VendorRecord<Data>>>
  /** All, in the order of their keys; refuses nothing: `RECORDS_MAX` at most. */
  all(tenant: TenantKey): Promise<readonly VendorRecord<Data>[]>
  create(tenant: TenantKey, key: string, data: Data): Promise<VendorRecord<Data> | null>
  put(tenant: TenantKey, key: string, data: Data): Promise<VendorRecord<Data>>
  delete(tenant: TenantKey, key: string): Promise<boolean>
}
export type VendorRecord<Data> = Omit<CompatRecord, 'data'> & { readonly data: Data }

/** Read at once where a contract lists without pages: plans, subjects. */
const RECORDS_MAX = 10_000

export function vendorRecords<Data extends object>(store: CompatRecordStore, vendor: string, kind: string): VendorRecords<Data> {
  const of = { vendor, kind }
  // Only this vendor's code writes records of the kind, and with this type.
  const typed = (record: CompatRecord) => record as unknown as VendorRecord<Data>
  const typedOrNull = (record: CompatRecord | null) => (record === null ? null : typed(record))
  return {
    get: async (tenant, key) => typedOrNull(await store.get(tenant, of, key)),
    getAll: async (tenant, keys) => new Map((await store.getAll(tenant, of, keys)).map((record) => [record.key, typed(record)])),
    all: async (tenant) => (await store.list(tenant, of, { limit: RECORDS_MAX })).data.map(typed),
    create: async (tenant, key, data) => typedOrNull(await store.create(tenant, of, key, data as CompatRecord['data'])),
    put: async (tenant, key, data) => typed(await store.put(tenant, of, key, data as CompatRecord['data'])),
    delete: (tenant, key) => store.delete(tenant, of, key),
  }
}

import { Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { derivedUuid } from '../derived-uuid.ts'
import { type OwnCustomer, unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { namedBody, OptionalText } from './bodies.ts'
import { refuseValues } from './refuse-values.ts'

/** Customers: a call makes one or changes it; what is left out stays. */
export async function customerRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  app.post('/customers', { config: ANY_KEY }, async (request) => {
    const input = namedBody(request, 'customer', CustomerSchema)
    const key = input.external_id ?? refuseValues({ external_id: ['value_is_mandatory'] })
    const tollgate = own(request)
    const known = await unlessRefused(tollgate.customer(key), 'unknown_customer')
    const { key: _key, createdAt: _created, updatedAt: _updated, archivedAt: _archived, ...kept } = known ?? NOBODY
    const metadata = Object.fromEntries((input.metadata ?? []).map((each) => [each.key, each.value]))
    const changed = await tollgate.putCustomer(key, {
      ...kept,
      ...{ name: input.name ?? kept.name, email: input.email ?? kept.email },
      ...(input.currency == null ? {} : { currency: input.currency }),
      ...(input.timezone == null ? {} : { timezone: input.timezone }),
      ...(input.metadata === undefined ? {} : { metadata }),
    })
    return { customer: customerJson(request.principal.tenant, changed) }
  })

  app.get<{ Params: { readonly id: string } }>('/customers/:id', { config: ANY_KEY }, async (request) => ({
    customer: customerJson(request.principal.tenant, await own(request).customer(request.params.id)),
  }))
}

const CustomerSchema = Type.Object({
  ...{ external_id: OptionalText, name: OptionalText, email: OptionalText, currency: OptionalText, timezone: OptionalText },
  metadata: Type.Optional(Type.Array(Type.Object({ key: Type.String(), value: Type.Unknown() }))),
})

const NOBODY: OwnCustomer = { key: '', name: null, email: null, subjects: [], metadata: {}, createdAt: '', updatedAt: '', archivedAt: null }

function customerJson(tenant: string, { key, name, email, currency, timezone, metadata, createdAt, updatedAt }: OwnCustomer) {
  return {
    ...{
      lago_id: derivedUuid(tenant, 'lago customer', key),
      sequential_id: 1,
      slug: key,
      external_id: key,
      name,
      email,
      currency: currency ?? null,
    },
    ...{ timezone: timezone ?? null, applicable_timezone: timezone ?? 'UTC', billing_configuration: {}, shipping_address: {} },
    metadata: Object.entries(metadata).map(([name_, value]) => ({
      ...{
        lago_id: derivedUuid(tenant, 'lago metadata', `${key} ${name_}`),
        key: name_,
        value,
        display_in_invoice: false,
        created_at: createdAt,
      },
    })),
    ...{ created_at: createdAt, updated_at: updatedAt },
  }
}

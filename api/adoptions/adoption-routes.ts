import { Type } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { CustomerKey } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { CustomerParamsSchema, CustomerSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { CustomerNameSchema, type HttpApp } from '../../schemas/http/common.ts'
import { customerJson } from '../catalog/customer-routes.ts'
import type { CustomerAdoptions } from './customer-adoptions.ts'

export type AdoptionRoutesDeps = {
  readonly customers: Pick<CustomerStore, 'adopt'>
  readonly adoptions: Pick<CustomerAdoptions, 'moveNow'>
}

export function adoptionRoutes({ customers, adoptions }: AdoptionRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/customers/:key/adopt', { config: { scope: 'manage' }, schema: ADOPT_CUSTOMER }, async (request) => {
      const { tenant } = request.principal
      const adopter = orThrow(await customers.adopt(tenant, request.params.key as CustomerKey, request.body.customer as CustomerKey))
      await adoptions.moveNow(tenant, adopter.key)
      return customerJson(adopter)
    })
  }
}

const ADOPT_CUSTOMER = {
  tags: ['customers'],
  operationId: 'adoptCustomer',
  summary: 'Make the usage of a customer that appeared by itself the usage of this one',
  description:
    'For events that came before their customer was known by that name. The other customer becomes a subject of this one; all that it used counts for this one, in windows, balances and invoices of the periods that it belongs to. ' +
    'Only a customer of which nothing but usage is known can be adopted, whichever of the two it is. May be repeated.',
  params: CustomerParamsSchema,
  body: Type.Object({ customer: CustomerNameSchema }, { additionalProperties: false }),
  response: { 200: CustomerSchema, ...REFUSALS },
}

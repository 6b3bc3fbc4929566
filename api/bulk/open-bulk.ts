import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { CustomerNames } from '../../usage/customer-names.ts'
import type { CustomerAdoptions } from '../adoptions/customer-adoptions.ts'
import type { BulkStores } from './bulk-collections.ts'
import { bulkRoutes } from './bulk-routes.ts'

export type BulkKit = {
  readonly clock: Clock
  readonly stores: BulkStores
  readonly customerNames: Pick<CustomerNames, 'load' | 'resolve'>
  readonly adoptions: Pick<CustomerAdoptions, 'moveNow'>
}

/** Many puts in one request. */
export function openBulk({ clock, stores, customerNames, adoptions }: BulkKit): Stage {
  const { meters, features, products, plans, taxRates, customers, subscriptions } = stores
  const own = { meters, features, products, plans, taxRates, customers, subscriptions }
  return { name: 'bulk', routes: bulkRoutes({ ...own, customerNames, clock, onSubjectsPut: adoptions.moveNow }) }
}

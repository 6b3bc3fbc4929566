import type { Stage } from '../../schemas/http/stage.ts'
import { type CustomerExportRoutesDeps, customerExportRoutes } from './customer-export-routes.ts'

export type CustomerExportKit = {
  readonly stores: {
    readonly customers: CustomerExportRoutesDeps['customers']
    readonly customerExports: CustomerExportRoutesDeps['reader']
    readonly usageStore: CustomerExportRoutesDeps['usageStore']
  }
}

/** What is held of a customer, to be handed over. */
export function openCustomerExports({ stores: { customers, customerExports: reader, usageStore } }: CustomerExportKit): Stage {
  return { name: 'customer-exports', routes: customerExportRoutes({ customers, reader, usageStore }) }
}

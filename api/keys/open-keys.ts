import type { Catalog } from '../../adapters/database/catalog.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../storable-text.ts'
import { keyRoutes } from './key-routes.ts'

export type KeyKit = {
  readonly stores: { readonly catalog: Catalog }
  readonly secrets: { readonly create: () => string; readonly hash: (secret: string) => string }
}

export function openKeys({ stores: { catalog }, secrets }: KeyKit): Stage {
  return {
    name: 'keys',
    async routes(app) {
      refuseUnstorableBodies(app)
      await keyRoutes({ catalog, createSecret: secrets.create, hashSecret: secrets.hash })(app)
    },
  }
}

import type { ApiKeyStore } from '../../adapters/database/keys/api-key-store.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { keyRoutes } from './key-routes.ts'

export type KeyKit = {
  readonly stores: { readonly keys: Pick<ApiKeyStore, 'create' | 'list'> }
  readonly secrets: { readonly create: () => string; readonly hash: (secret: string) => string }
}

export function openKeys({ stores: { keys }, secrets }: KeyKit): Stage {
  return {
    name: 'keys',
    async routes(app) {
      refuseUnstorableBodies(app)
      await keyRoutes({ keys, createSecret: secrets.create, hashSecret: secrets.hash })(app)
    },
  }
}

import type { ApiKeyStore } from '../../adapters/database/keys/api-key-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { KeyKind } from '../../domain/principal.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { keyRoutes } from './key-routes.ts'

export type KeyKit = {
  readonly clock: Pick<Clock, 'now'>
  readonly stores: { readonly keys: Pick<ApiKeyStore, 'create' | 'end' | 'get' | 'list' | 'rotate'> }
  readonly secrets: { readonly create: (kind: KeyKind) => string; readonly hash: (secret: string) => string }
}

export function openKeys({ clock, stores: { keys }, secrets }: KeyKit): Stage {
  return {
    name: 'keys',
    async routes(app) {
      refuseUnstorableBodies(app)
      await keyRoutes({ clock, keys, createSecret: secrets.create, hashSecret: secrets.hash })(app)
    },
  }
}

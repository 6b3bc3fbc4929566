import { invariant } from '../base/invariant.ts'
import { openCommerce } from '../commerce/open-commerce.ts'
import type { Stage } from '../schemas/http/stage.ts'
import type { Kit } from './kit.ts'

export function openSelling({ clock, log, config, stores }: Pick<Kit, 'clock' | 'log' | 'config' | 'stores'>): Stage {
  const { selling, seams } = stores
  invariant(seams !== null, 'a process that sells has opened files and payments')
  return openCommerce({
    clock,
    log: log.child({ stage: 'commerce' }),
    vault: seams.vault,
    payments: seams.payments,
    files: seams.files,
    randomBytes: selling.randomBytes,
    stores: selling,
    write: selling.write,
    signingKeys: selling.signingKeys,
    settings: stores.tenantSettings,
    publicUrl: config.publicUrl?.replace(/\/+$/, '') ?? null,
    downloadBytesMax: config.downloadBytesMax,
  })
}

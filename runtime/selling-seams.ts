import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileStore } from '../adapters/files/files.ts'
import type { PaymentProvider } from '../adapters/payments/payments.ts'
import { createVault, type Vault } from '../commerce/vault.ts'
import type { Config } from './settings/config.ts'

/** What selling needs besides the database: a place for files, whoever collects money, and the secret of the installation. */
export type SellingSeams = { readonly files: FileStore; readonly payments: PaymentProvider; readonly vault: Vault }

/** An implementation is loaded only where it is used. */
export async function openSellingSeams(config: Config): Promise<SellingSeams> {
  const { openDirectoryFiles } = await import('../adapters/files/directory/directory-files.ts')
  return {
    files: await openDirectoryFiles(join(config.dataDir, 'files')),
    payments: await openPayments(config),
    vault: createVault(secretOf(config), randomBytes),
  }
}

async function openPayments({ payments }: Config): Promise<PaymentProvider> {
  if (payments === 'test') return (await import('../adapters/payments/test/test-payments.ts')).createTestPayments()
  return (await import('../adapters/payments/manual/manual-payments.ts')).createManualPayments()
}

const SECRET_FILE = 'secret'
const SECRET_BYTES = 32

/** That of the setting; else one that the first start makes in the data directory, where nobody else may read it. */
function secretOf({ secret, dataDir }: Config): Uint8Array {
  if (secret !== null) return Buffer.from(secret, 'utf8')
  const path = join(dataDir, SECRET_FILE)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(path, randomBytes(SECRET_BYTES).toString('hex'), { mode: 0o600, flag: 'wx', flush: true })
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  }
  return Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
}

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { invariant } from '../base/invariant.ts'

/**
 * What is done under the installation's secret, which is never in the database or a backup of it: keys are looked up by their MAC and
 * shown again from their ciphertext, and addresses of ours are signed. Each purpose has a key of its own, derived from the secret.
 */
export type Vault = {
  mac(purpose: Purpose, text: string): string
  isMac(purpose: Purpose, text: string, mac: string): boolean
  seal(purpose: Purpose, text: string): string
  open(purpose: Purpose, sealed: string): string
}

export type Purpose = 'license-key' | 'license-signing' | 'download-link' | 'browser' | 'person' | 'form'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export function createVault(secret: Uint8Array, randomBytes: (count: number) => Uint8Array): Vault {
  invariant(secret.length >= 16, 'the secret of an installation has at least 128 bits')
  const keys = new Map<string, Buffer>()
  const keyOf = (purpose: string) => {
    const known = keys.get(purpose) ?? Buffer.from(hkdfSync('sha256', secret, '', `tollgate/${purpose}`, 32))
    keys.set(purpose, known)
    return known
  }
  const mac = (purpose: Purpose, text: string) =>
    createHmac('sha256', keyOf(`mac/${purpose}`))
      .update(text)
      .digest('base64url')
  return {
    mac,
    isMac(purpose, text, given) {
      const [right, other] = [Buffer.from(mac(purpose, text)), Buffer.from(given)]
      return right.length === other.length && timingSafeEqual(right, other)
    },
    seal(purpose, text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keyOf(`seal/${purpose}`), nonce)
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    open(purpose, text) {
      const bytes = Buffer.from(text, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', keyOf(`seal/${purpose}`), bytes.subarray(0, NONCE_BYTES))
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8')
    },
  }
}

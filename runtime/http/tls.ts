import { readFileSync } from 'node:fs'
import { createSecureContext, type Server as TlsServer } from 'node:tls'
import type { Logger } from 'pino'
import type { Cancel, Clock } from '../../base/clock.ts'

/** Files in PEM: the certificate with those between it and its root, and its private key. */
export type TlsFiles = { readonly certPath: string; readonly keyPath: string }
export type TlsPair = { readonly cert: string; readonly key: string }

/** Throws when a file cannot be read, or the key is not the certificate's. */
export function readTls({ certPath, keyPath }: TlsFiles): TlsPair {
  const pair = { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') }
  createSecureContext(pair)
  return pair
}

/** Certificates are renewed while the server runs: new connections have the new one within a minute. A pair that is no pair is left. */
export function reloadTls(server: TlsServer, files: TlsFiles, inUse: TlsPair, clock: Pick<Clock, 'every'>, log: Logger): Cancel {
  let current = inUse
  return clock.every(RELOAD_INTERVAL_MS, () => {
    try {
      const pair = readTls(files)
      if (pair.cert === current.cert && pair.key === current.key) return
      server.setSecureContext(pair)
      current = pair
      log.info('took the renewed certificate')
    } catch (error) {
      log.warn({ err: error }, 'the certificate was not read again; the one before goes on')
    }
  })
}

const RELOAD_INTERVAL_MS = 60_000

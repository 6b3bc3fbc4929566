import { execFileSync } from 'node:child_process'
import { request } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../crash/free-port.ts'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
} from '../support/servers/tollgate-process.ts'

let directory: string
let tollgate: TollgateProcess
let port: number

const pem = (name: string) => join(directory, `${name}.pem`)
function makeCertificate(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  const keys = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', pem(`${name}-key`)]
  execFileSync('openssl', ['req', '-x509', '-days', '1', ...keys, '-out', pem(name), ...subject], { stdio: 'ignore' })
}

beforeAll(async () => {
  directory = await temporaryDirectory()
  makeCertificate('first')
  makeCertificate('other')
})
afterAll(() => removeDirectory(directory))

function ask(ca: string): Promise<{ status: number | undefined; hsts: string | undefined }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/healthz', ca }, (answer) => {
      answer.resume()
      resolve({ status: answer.statusCode, hsts: answer.headers['strict-transport-security'] })
    })
      .on('error', reject)
      .end()
  })
}

test('with a certificate the port speaks HTTPS, and browsers are told to stay with it; the operators’ port answers as before', async () => {
  const { readFileSync } = await import('node:fs')
  port = await freePort()
  const opsPort = await freePort()
  tollgate = await startTollgate({
    url: `http://127.0.0.1:${opsPort}`,
    env: {
      TOLLGATE_PORT: String(port),
      TOLLGATE_OPS_PORT: String(opsPort),
      TOLLGATE_TLS_CERT: pem('first'),
      TOLLGATE_TLS_KEY: pem('first-key'),
    },
  })
  try {
    expect(await ask(readFileSync(pem('first'), 'utf8'))).toEqual({ status: 200, hsts: 'max-age=31536000' })
    await expect(ask(readFileSync(pem('other'), 'utf8'))).rejects.toThrow()
  } finally {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  }
})

test.each([
  { wrong: 'the key of another certificate', cert: 'first', key: 'other-key' },
  { wrong: 'a file that is not there', cert: 'nowhere', key: 'first-key' },
])('$wrong ends the start, and says which setting', async ({ cert, key }) => {
  const env = { TOLLGATE_DATA_DIR: join(directory, 'data'), TOLLGATE_PORT: '0', TOLLGATE_TLS_CERT: pem(cert), TOLLGATE_TLS_KEY: pem(key) }
  const { code, output } = await runTollgate(['serve'], env)
  expect(code).not.toBe(0)
  expect(output).toContain('TOLLGATE_TLS_CERT')
})

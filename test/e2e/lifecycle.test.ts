import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/servers/tollgate-process.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

describe('a running server', () => {
  let tollgate: TollgateProcess

  beforeAll(async () => {
    tollgate = await startTollgate()
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  test('a second process on its directory learns which process has it', async () => {
    const second = await runTollgate(['serve'], { TOLLGATE_DATA_DIR: tollgate.dataDir, TOLLGATE_PORT: '0' })
    expect(second.code).toBe(1)
    expect(second.output).toMatch(/data directory .* is in use by process \d+ \(serve\)/)
  })

  test('verify says that the server has to stop first', async () => {
    const verify = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: tollgate.dataDir })
    expect(verify.code).toBe(1)
    expect(verify.output).toMatch(/is in use by process \d+ \(serve\)/)
  })

  test('openapi.json is valid OpenAPI', async () => {
    const document = await tollgate.ok<Record<string, unknown>>('GET', '/openapi.json')
    const { valid, errors } = await new Validator().validate(document)
    expect(errors ?? []).toEqual([])
    expect(valid).toBe(true)
  })

  test('the example of the README runs as written', async () => {
    const script = /```sh\n([\s\S]*?)```/.exec(README)?.[1] ?? ''
    const { code, output } = await runScript(script.replaceAll('http://127.0.0.1:8080', tollgate.url), { KEY: tollgate.adminKey })
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/"status":[45]\d\d/)
    expect(output).toMatch(/"accepted":1/)
    expect(output).toMatch(/"allowed":true/)
    await waitFor(async () => {
      const { used } = await tollgate.ok<{ used: string }>('GET', '/v1/customers/acme/balances/tokens')
      return used === '3270'
    })
  })
})

test('the first start prints a key that works, the next one none; SIGTERM ends with 0', async () => {
  const dataDir = await temporaryDirectory()
  const first = await serveUntilReady(dataDir)
  const key = /Admin key +(\S+)/.exec(first.output)?.[1] ?? ''
  const answer = await fetch(`${first.url}/v1/meters`, { headers: { authorization: `Bearer ${key}` } })
  expect(answer.status).toBe(200)
  expect(await first.stop()).toBe(0)

  const second = await serveUntilReady(dataDir)
  expect(second.output).not.toContain('Admin key')
  expect(second.output).not.toContain(key)
  expect(await second.stop()).toBe(0)
  await removeDirectory(dataDir)
})

async function serveUntilReady(dataDir: string) {
  const serve = runTollgate(['serve'], { TOLLGATE_DATA_DIR: dataDir, TOLLGATE_PORT: '0', TOLLGATE_ADMIN_KEY: '' })
  onTestFinished(() => void serve.child.kill('SIGKILL'))
  let output = ''
  serve.child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  await waitFor(async () => {
    if (serve.child.exitCode !== null) throw new Error(`tollgate ended while starting:\n${(await serve).output}`)
    return /first event/.test(output)
  })
  const url = /is ready after .*: (http\S+)/.exec(output)?.[1] ?? ''
  return {
    url,
    output,
    async stop() {
      serve.child.kill('SIGTERM')
      return (await serve).code
    },
  }
}

function runScript(script: string, env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, startTollgate, type TollgateProcess } from '../support/servers/tollgate-process.ts'

/** A stranger's first minutes: what the README tells them to type, and the pages they open. */
describe('first contact', () => {
  let tollgate: TollgateProcess
  beforeAll(async () => {
    tollgate = await startTollgate()
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  test("the README's script, as it stands: the balance after the first event shows it, and the invoice bills it", async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    const [, script = ''] = /```sh\n(call\(\)[\s\S]*?)```/.exec(readme) ?? []
    const here = script.replaceAll('http://127.0.0.1:8080', tollgate.url)
    const { stdout } = await promisify(execFile)('bash', ['-c', here], { env: { ...process.env, KEY: tollgate.adminKey } })
    const answers = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
    expect(answers.filter(({ status }) => typeof status === 'number')).toEqual([])
    const [balance] = answers.filter(({ feature, used }) => feature === 'tokens' && used !== undefined)
    expect(balance).toMatchObject({ used: '1540', remaining: '4998460' })
    const usage = answers.find(({ asOf }) => asOf !== undefined)
    expect(usage.data.map(({ value }: { value: string }) => Number(value)).reduce((sum: number, each: number) => sum + each, 0)).toBe(3270)
    const invoice = answers.find(({ lines }) => lines !== undefined)
    expect(invoice.lines.find(({ charge }: { charge?: string }) => charge === 'tokens')).toMatchObject({ quantity: '3270' })
  })

  test('an event whose answer waits is in the balance that is read next', async () => {
    for (const id of ['a', 'b', 'c']) {
      await tollgate.ok('POST', '/v1/events?waitMs=10000', { id, type: 'llm.request', customer: 'acme', data: { input_tokens: 1 } })
      const { used } = await tollgate.ok<{ used: string }>('GET', '/v1/customers/acme/balances/tokens')
      expect(Number(used) % 10).toBe(['a', 'b', 'c'].indexOf(id) + 1)
    }
  })

  test.each(['/v1/events?waitMs=-1', '/v1/events?waitMs=10001', '/v1/events?waitMs=soon'])('%s is refused', async (path) => {
    const answer = await tollgate.call('POST', path, { id: 'w', type: 't', customer: 'c' })
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'waitMs' }] } })
  })

  test('/ leads to /docs on any host name over plain HTTP, where nothing is loaded from elsewhere', async () => {
    const get = (path: string) =>
      new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
        request(tollgate.url + path, { headers: { host: 'tollgate.internal:8080' } }, async (answer) =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) }),
        )
          .on('error', reject)
          .end()
      })
    const root = await get('/')
    expect([root.status, new URL(String(root.headers.location), 'http://tollgate.internal:8080/').href]).toEqual([
      302,
      'http://tollgate.internal:8080/docs',
    ])
    const { status, headers, body } = await get('/docs')
    expect(status).toBe(200)
    expect(headers['content-security-policy']).not.toMatch(/upgrade-insecure-requests/)
    expect(headers['strict-transport-security']).toBeUndefined()
    // Texts and examples name addresses; nothing is loaded from one.
    expect(body).not.toMatch(/<script|<img|<svg|<link|<iframe|\bsrc=|(href|action)="[a-z]+:|url\(|@import/)
  })

  test('OpenAPI: each tag once, and on every route examples that its own schemas take', async () => {
    type Media = { schema?: object; example?: unknown }
    type Operation = {
      tags?: string[]
      parameters?: { name: string; schema?: object; example?: unknown }[]
      requestBody?: { content: Record<string, Media> }
      responses: Record<string, { content?: Record<string, Media> }>
    }
    const { paths, components } = await tollgate.ok<{ paths: Record<string, Record<string, Operation>>; components: object }>(
      'GET',
      '/openapi.json',
    )
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ route: `${method} ${path}`, ...operation })),
    )
    const tags = new Set(routes.map(({ tags = ['none'] }) => tags.join()))
    expect([...tags].filter((tag) => tag !== tag.toLowerCase() || tag.includes(',') || tag === 'none')).toEqual([])

    const ajv = addFormats.default(new Ajv2020({ strict: false, unicodeRegExp: true }))
    const wrong = (where: string, { schema, example }: Media) => {
      if (schema === undefined) return []
      if (example === undefined) return [`${where}: none`]
      const validate = ajv.compile({ ...schema, components })
      return validate(example) ? [] : [`${where}: ${JSON.stringify(example)} ${ajv.errorsText(validate.errors)}`]
    }
    const found = routes.flatMap(({ route, parameters = [], requestBody, responses }) => [
      ...parameters.flatMap((each) => wrong(`${route} ${each.name}`, each)),
      ...Object.values(requestBody?.content ?? {}).flatMap((media) => wrong(`${route} body`, media)),
      ...Object.entries(responses).flatMap(([status, { content = {} }]) =>
        status.startsWith('2') ? Object.values(content).flatMap((media) => wrong(`${route} ${status}`, media)) : [],
      ),
    ])
    expect(found).toEqual([])
  })
})

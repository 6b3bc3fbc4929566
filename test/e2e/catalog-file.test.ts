import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TOLLGATE_ENTRY } from '../support/servers/tollgate-entry.ts'
import { removeDirectory, startTollgate, type TollgateProcess } from '../support/servers/tollgate-process.ts'

describe('the catalog as a file', () => {
  let server: TollgateProcess
  const catalog = (...args: string[]) =>
    new Promise<{ code: number; out: string; error: string }>((resolve) => {
      const env = { ...process.env, TOLLGATE_URL: server.url, TOLLGATE_KEY: server.adminKey }
      execFile(process.execPath, [TOLLGATE_ENTRY, 'catalog', ...args], { env }, (failed, out, error) =>
        resolve({ code: Number(failed?.code ?? 0), out, error }),
      )
    })
  beforeAll(async () => {
    server = await startTollgate()
    await server.ok('PUT', '/v1/meters/n', { eventType: 't', aggregation: 'sum', value: 'n', dimensions: { model: 'model' } })
    await server.ok('PUT', '/v1/features/n', { type: 'metered', meter: 'n', filter: { model: ['a'] } })
    await server.ok('PUT', '/v1/products/p', { name: 'P' })
    await server.ok('PUT', '/v1/tax-rates/vat', { name: 'VAT', percent: '20' })
    await server.ok('PUT', '/v1/coupons/ten', { percent: 10, duration: 'once' })
    const charges = [{ key: 'n', feature: 'n', price: { model: 'flat', unitAmount: '0.5' }, taxRates: ['vat'] }]
    const entitlements = [{ feature: 'n', limit: '100', rollover: { percent: 50 } }]
    await server.ok('PUT', '/v1/plans/pro', { product: 'p', name: 'Pro', currency: 'EUR', interval: 'month', charges, entitlements })
  })
  afterAll(async () => {
    await server.kill()
    await removeDirectory(server.dataDir)
  })

  test('what is exported is the same to diff and to import, and a change of the file is shown, put once and then the same', async () => {
    const file = join(server.dataDir, 'catalog.json')
    expect(await catalog('export', '--out', file)).toMatchObject({ code: 0 })
    const text = await readFile(file, 'utf8')
    expect((await catalog('export')).out).toBe(text)
    expect(await catalog('diff', file)).toMatchObject({ code: 0, out: '' })
    expect((await catalog('import', file)).out).toBe('0 new, 0 changed, 6 the same\n')

    const document = JSON.parse(text)
    document.plans.pro.baseFee = '25'
    document.products.q = { name: 'Q' }
    delete document.coupons.ten
    await writeFile(file, JSON.stringify(document))
    const diff = await catalog('diff', file)
    expect(diff).toMatchObject({ code: 1 })
    expect(
      diff.out
        .trim()
        .split('\n')
        .map((line) => line.replace(/ +/g, ' ')),
    ).toEqual([...['new products/q', 'only on the server coupons/ten', 'changed plans/pro: baseFee']])
    expect((await catalog('import', file)).out.trim().split('\n').at(-1)).toBe('1 new, 1 changed, 4 the same')
    expect((await catalog('import', file)).out).toBe('0 new, 0 changed, 6 the same\n')
    expect(await server.ok('GET', '/v1/plans/pro')).toMatchObject({ version: 2, baseFee: '25' })
  })

  test.each([
    { title: 'no JSON', text: '{', says: /no catalog/ },
    { title: 'a collection that is none', text: '{"invoices": {}}', says: /invoices/ },
  ])('a file with $title is refused before anything is put', async ({ text, says }) => {
    const file = join(server.dataDir, 'wrong.json')
    await writeFile(file, text)
    expect(await catalog('import', file)).toMatchObject({ code: 2, error: expect.stringMatching(says) })
  })
})

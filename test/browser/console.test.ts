import { globSync, statSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'
import { fillConsole } from './console-data.ts'
import {
  axeFindings,
  buildConsole,
  findBrowser,
  openBrowser,
  openPage,
  picture,
  settled,
  sidewaysBy,
  signIn,
  type Theme,
  type Watched,
} from './console-page.ts'

/** Compressed; the whole of it is read before the first paint. */
const ENTRY_BYTES_MAX = 140_000

const { path: chromium, missing } = await findBrowser()

/** Every page, with the heading that it shows. */
const PAGES = [
  { name: 'overview', path: '/' },
  { name: 'events', path: '/events' },
  { name: 'customers', path: '/customers' },
  { name: 'customer', path: '/customers/acme' },
  { name: 'meters', path: '/meters' },
  { name: 'meter-builder', path: '/meters?new=on&type=llm.request' },
  { name: 'features', path: '/features' },
  { name: 'plans', path: '/plans' },
  { name: 'plan', path: '/plans/scale' },
  { name: 'coupons', path: '/coupons' },
  { name: 'billing-runs', path: '/billing-runs' },
  { name: 'settings', path: '/settings' },
  { name: 'invoices', path: '/invoices' },
  { name: 'keys', path: '/keys' },
  { name: 'audit', path: '/audit' },
] as const

describe.skipIf(missing !== null)(missing === null ? 'the console' : `the console (not run: ${missing})`, () => {
  let tollgate: TollgateProcess
  let browser: Browser
  let watched: Watched
  let invoice: string

  beforeAll(async () => {
    buildConsole()
    tollgate = await startTollgate()
    invoice = (await fillConsole(tollgate)).invoice
    browser = await openBrowser(chromium ?? '')
    watched = await openPage(browser, tollgate.url)
  })
  afterAll(async () => {
    await browser?.close()
    await tollgate?.stop()
  })

  test('what is loaded before the first page stays within its budget', () => {
    const [entry] = globSync('console/dist/assets/index-*.js.gz')
    expect(statSync(entry ?? '').size).toBeLessThan(ENTRY_BYTES_MAX)
  })

  test('a wrong key stays out, with the words of the server; a good one gets in, and out again', async () => {
    const { page, takeErrors } = await openPage(browser, tollgate.url)
    await page.goto('/console')
    await page.getByLabel('API key').fill('tg_sk_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').getByText('invalid_key').waitFor()
    takeErrors()
    await page.getByLabel('API key').fill(tollgate.adminKey)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    const [cookie] = await page.context().cookies(`${tollgate.url}/console`)
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/console' })
    await page.getByRole('button', { name: 'You' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    expect(await page.context().cookies(`${tollgate.url}/console`)).toEqual([])
    await page.context().close()
  })

  test('the figures of Overview are those of the API', async () => {
    const { page, takeErrors } = watched
    await signIn(page, tollgate.adminKey)
    await settled(page)
    const to = new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000)
    const from = new Date(to.getTime() - 86_400_000).toISOString()
    const { data } = await tollgate.ok<{ data: { value: string; events: number }[] }>(
      'GET',
      `/v1/meters/tokens/usage?from=${from}&to=${to.toISOString()}`,
    )
    const figures = page.getByRole('region', { name: 'Figures' })
    await figures.getByText(Number(data[0]?.value).toLocaleString('en-GB'), { exact: true }).waitFor()
    await figures.getByText(String(data[0]?.events), { exact: true }).first().waitFor()
    expect(takeErrors()).toEqual([])
  })

  describe.each<Theme>(['light', 'dark'])('%s', (theme) => {
    let themed: Watched
    beforeAll(async () => {
      themed = await openPage(browser, tollgate.url, { theme })
      await signIn(themed.page, tollgate.adminKey)
    })
    afterAll(() => themed.context.close())

    test.each([...PAGES, { name: 'invoice', path: null }])('$name: axe and the policy find nothing', async ({ name, path }) => {
      const { page, takeErrors } = themed
      await page.goto(`/console${path ?? `/invoices/${invoice}?line=1`}`)
      await settled(page)
      expect(await axeFindings(page)).toEqual([])
      for (const width of [1440, 390]) {
        await page.setViewportSize({ width, height: 900 })
        await picture(page, `${name}-${theme}-${width}`)
        expect({ width, sideways: await sidewaysBy(page) }).toEqual({ width, sideways: 0 })
      }
      await page.setViewportSize({ width: 1440, height: 900 })
      expect(takeErrors()).toEqual([])
    })
  })

  test('an event that counts for nothing says why', async () => {
    const { page } = watched
    await page.goto('/console/events?counted=false&type=llm.request')
    await page.getByText('counts for nothing: the value is not in the event').first().click()
    await page.getByRole('dialog').getByText('counts nothing: the value is not in the event').waitFor()
    expect(await axeFindings(page)).toEqual([])
  })

  test('a grant moves the bar of the customer within 3 s', async () => {
    const { page } = watched
    const before = await tollgate.ok<{ remaining: string }>('GET', '/v1/customers/acme/balances/tokens')
    await page.goto('/console/customers/acme')
    await page.getByRole('button', { name: 'Grant', exact: true }).click()
    await page.getByRole('dialog').getByLabel('Amount').fill('12345')
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('dialog').getByRole('button', { name: 'Grant', exact: true }).click()
    const wanted = (BigInt(before.remaining) + 12_345n).toLocaleString('en-GB')
    await page.getByText(wanted, { exact: true }).first().waitFor({ timeout: 10_000 })
  })

  test('a line of an invoice opens to tiers, windows and events, and agrees with them', async () => {
    const { page } = watched
    await page.goto(`/console/invoices/${invoice}`)
    await page
      .getByRole('button', { name: /^Open line .*, AI tokens/ })
      .first()
      .click()
    await page.getByText('The line says the same, and so does the amount.').waitFor()
    await page.getByRole('region', { name: 'Events of the line' }).getByRole('row').nth(1).waitFor()
  })

  test('the palette opens a customer by name, and the keyboard a page', async () => {
    const { page } = watched
    await page.goto('/console')
    await settled(page)
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: 'Find or do anything' }).fill('Acme')
    await page.getByRole('option', { name: /Acme Robotics/ }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Acme Robotics' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('e')
    await page.getByRole('heading', { level: 1, name: 'Events' }).waitFor()
  })

  test('a viewer sees everything and can write nothing', async () => {
    const { key } = await tollgate.ok<{ key: string }>('POST', '/v1/keys', { name: 'viewer', scopes: ['read'] })
    const { page, context } = await openPage(browser, tollgate.url)
    await signIn(page, key)
    await page.goto('/console/customers/acme')
    const grant = page.getByRole('button', { name: 'Grant', exact: true })
    await grant.waitFor()
    expect([await grant.isDisabled(), await grant.getAttribute('title')]).toEqual([true, 'Needs scope manage'])
    await context.close()
  })

  test('an ended key signs its browsers out', async () => {
    const { id, key } = await tollgate.ok<{ id: string; key: string }>('POST', '/v1/keys', { name: 'short', scopes: ['read'] })
    const { page, context } = await openPage(browser, tollgate.url)
    await signIn(page, key)
    await tollgate.ok('DELETE', `/v1/keys/${id}`)
    await waitFor(async () => (await page.evaluate(async () => (await fetch('/console/api/v1/meters')).status)) === 401)
    await page.reload()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    await context.close()
  })
})

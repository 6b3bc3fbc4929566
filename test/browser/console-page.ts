import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { findOrInstall } from '../../deploy/dev/apt.ts'
import { reportImplementation } from '../support/implementations.ts'
import { waitFor } from '../support/servers/tollgate-process.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Screenshots to look at; not kept. */
const PICTURES = process.env.TOLLGATE_SCREENSHOTS ?? join(ROOT, 'coverage/console')

/** Debian's Chromium, or why there is none. In CI its absence is a failure, not a skip. */
export async function findBrowser(): Promise<
  { readonly path: string; readonly missing: null } | { readonly path: null; readonly missing: string }
> {
  try {
    return { path: process.env.TOLLGATE_CHROMIUM ?? (await findOrInstall(['chromium'], 'chromium')), missing: null }
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error)
    reportImplementation({ name: 'Chromium', version: null, missing })
    if (process.env.CI !== undefined) throw new Error(`the console cannot be tested: ${missing}`, { cause: error })
    return { path: null, missing }
  }
}

/** Builds the console when its sources changed. */
export function buildConsole(): void {
  execFileSync(process.execPath, ['console/build.ts'], { cwd: ROOT, stdio: 'inherit' })
}

export async function openBrowser(executablePath: string): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
  })
  reportImplementation({ name: 'Chromium', version: browser.version(), missing: null })
  return browser
}

/** Ends a step that hangs; a busy machine does not reach it. */
const ACTION_MS_MAX = 20_000

export type Theme = 'light' | 'dark'
export type Watched = {
  readonly context: BrowserContext
  readonly page: Page /** Errors of the console, of scripts, and of the policy, since the last look. */
  takeErrors(): readonly string[]
}

export async function openPage(
  browser: Browser,
  baseURL: string,
  { theme = 'light', width = 1440 }: { theme?: Theme; width?: number } = {},
): Promise<Watched> {
  const context = await browser.newContext({ baseURL, viewport: { width, height: 900 }, colorScheme: theme, reducedMotion: 'reduce' })
  context.setDefaultTimeout(ACTION_MS_MAX)
  const page = await context.newPage()
  const errors: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(error.message))
  return { context, page, takeErrors: () => errors.splice(0) }
}

export async function signIn(page: Page, key: string): Promise<void> {
  await page.goto(`/console#key=${key}`)
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
}

/** Nothing is being loaded any more. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor()
  await waitFor(async () => (await page.locator('[aria-busy="true"]').count()) === 0)
}

/** What axe finds by WCAG 2.2 A and AA, one line a rule and element. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  // Evaluated as text: a script element would be stopped by Trusted Types.
  await page.evaluate(axe.source)
  return page.evaluate(async () => {
    type Axe = { run(options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> }
    const { axe: inPage } = globalThis as unknown as { axe: Axe }
    const { violations } = await inPage.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary.replaceAll('\n', ' ').slice(0, 200)}`),
    )
  })
}

export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true })
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true })
}

export async function sidewaysBy(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}

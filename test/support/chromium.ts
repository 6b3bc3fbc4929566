import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { reportImplementation } from './implementations.ts'

/** A browser for a test file, or why there is none. In CI it must be there. */
export type ChromiumForTest =
  | { readonly browser: Browser; readonly missing: null; discard(): Promise<void> }
  | { readonly browser: null; readonly missing: string; discard(): Promise<void> }

const PATH = process.env.TOLLGATE_TEST_CHROMIUM ?? '/usr/bin/chromium'

export async function chromiumForTest(): Promise<ChromiumForTest> {
  if (!existsSync(PATH)) {
    const missing = `no browser at ${PATH}; TOLLGATE_TEST_CHROMIUM names another`
    if (process.env.CI !== undefined) throw new Error(missing)
    reportImplementation({ name: 'Chromium', version: null, missing })
    return { browser: null, missing, discard: async () => undefined }
  }
  const { chromium } = await import('playwright-core')
  const args = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
  const browser = await chromium.launch({ executablePath: PATH, args })
  reportImplementation({ name: 'Chromium', version: browser.version(), missing: null })
  return { browser, missing: null, discard: () => browser.close() }
}

import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { expect, test } from 'vitest'

/** The server alone: the SDK imports nothing of it, and reads no dates but those of HTTP headers. */
const ROOT = new URL('../../', import.meta.url).pathname
const SOURCES =
  '{base,domain,schemas,adapters,ingest,aggregator,usage,entitlements,rating,billing,alerts,commerce,custody,api,compat,runtime}/**/*.ts'

const sources: { readonly path: string; readonly text: string }[] = []
for await (const path of glob(SOURCES, { cwd: ROOT })) {
  if (!path.endsWith('.test.ts')) sources.push({ path, text: readFileSync(`${ROOT}${path}`, 'utf8') })
}

test('there are sources to look at', () => expect(sources.length).toBeGreaterThan(200))

test.each([
  {
    what: 'parseInstantText reads instants, as Date.parse takes more than it should and answers NaN',
    pattern: /\bDate\.parse\(/,
    // Reads the date of an HTTP header.
    except: ['alerts/webhooks/send-webhook.ts'],
  },
  {
    what: 'time-zone.ts knows zones, as two sources of zone data disagree',
    pattern: /from 'luxon'|Intl\.DateTimeFormat|toStartOf(?!Minute)\w+\(/,
    except: ['domain/time/time-zone.ts'],
  },
])('$what', ({ pattern, except }) => {
  const others = sources.filter(({ path }) => !except.includes(path))
  expect(others.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([])
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { HTTP_BOUNDS } from '../../runtime/http/http-bounds.ts'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

const EVENTS = 150
const MIB = 2 ** 20
/** The page's bound on content, and what JSON adds to an event: names, quotes, its id and times. */
const PAGE_BYTES_MAX = 4.5 * MIB

let tollgate: TollgateProcess

beforeAll(async () => {
  tollgate = await startTollgate()
  const events = Array.from({ length: EVENTS }, (_, n) => ({
    id: `large-${n}`,
    type: 'large',
    customer: 'acme',
    time: new Date(Date.now() - n * 1_000).toISOString(),
    data: { text: 'x'.repeat(60_000) },
  }))
  for (let from = 0; from < EVENTS; from += 50) await tollgate.ok('POST', '/v1/events', events.slice(from, from + 50))
  await waitFor(async () => (await tollgate.call('GET', `/v1/events/large-${EVENTS - 1}?customer=acme`)).status === 200, 30_000)
})
afterAll(async () => {
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

test('a page of large events ends by its bytes, and the pages together are all of them', async () => {
  const ids: string[] = []
  let pages = 0
  for (let cursor: string | null = ''; cursor !== null; pages++) {
    const { text, body } = await tollgate.call('GET', `/v1/events?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(text.length).toBeLessThan(PAGE_BYTES_MAX)
    const page = body as { data: { id: string }[]; nextCursor: string | null }
    ids.push(...page.data.map(({ id }) => id))
    cursor = page.nextCursor
  }
  expect(pages).toBe(3)
  expect(ids).toEqual(Array.from({ length: EVENTS }, (_, n) => `large-${n}`))
})

test('reads beyond those that may wait are refused by name, and the others are answered', async () => {
  const most = HTTP_BOUNDS.heavyReadsOfTenant.most + HTTP_BOUNDS.heavyReadsWaiting.most
  const answers = await Promise.all(Array.from({ length: most + 40 }, () => tollgate.call('GET', '/v1/events?limit=1')))
  const refused = answers.filter(({ status }) => status !== 200)
  expect(refused.length).toBeGreaterThan(0)
  for (const { status, body, headers } of refused) {
    expect({ status, ...(body as object) }).toMatchObject({ status: 429, code: 'too_many_reads_waiting' })
    expect(headers.get('retry-after')).toBe('1')
  }
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(most)
})

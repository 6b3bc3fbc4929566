import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'
import { inLongRun } from '../support/long-run.ts'
import { createFormBrowser } from '../support/selling/form-browser.ts'

type Notice = {
  readonly id: string
  readonly attempt: string
  readonly effect: string
  readonly amount: string
  readonly refunded?: string
}
type Step = (Notice & { readonly currency: string }) | { readonly expire: true }
type Case = {
  readonly id: string
  readonly kind: string
  readonly why: string
  readonly input: {
    readonly quantity: number
    readonly attempts: readonly string[]
    readonly anyOrder?: boolean
    readonly steps: readonly Step[]
  }
  readonly expected: Readonly<Record<string, unknown>> & {
    readonly events: readonly string[]
    readonly returned: readonly object[]
    readonly setAside: readonly object[]
  }
}

/** Of one case, from its own order on; a long run tries all. */
const ORDERS_TRIED = 6
const START = '2026-03-01T12:00:00Z'
const { cases } = JSON.parse(readFileSync(new URL('../data/selling-vectors.json', import.meta.url), 'utf8')) as { cases: readonly Case[] }
const notices = cases.filter(({ kind }) => kind === 'notices')

/** What a provider tells of one checkout, in whatever order and number it comes, over HTTP, and what the book and the customer then have. */
describe('notices of payments', () => {
  let server: BillingServer
  let feed: string | undefined
  let buyers = 0

  beforeAll(async () => {
    server = await startBillingServer(instant(START), { TOLLGATE_PAYMENTS: 'test' })
    const { ok, url, key } = server
    await ok('PUT', '/v1/products/app', { name: 'The app' })
    await ok('PUT', '/v1/license-policies/app', { prefix: 'APP', activationsMax: 2 })
    await ok('PUT', '/v1/downloads/app', { name: 'The app' })
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/zip' }
    await fetch(`${url}/v1/downloads/app/releases?version=1&filename=app.zip`, { method: 'POST', headers, body: 'PK' })
    const deliverables = [
      { key: 'file', kind: 'download', download: 'app' },
      { key: 'app', kind: 'license', policy: 'app' },
    ]
    const plan = { product: 'app', name: 'The app', currency: 'EUR', interval: 'once', quantityMax: 3, again: 'add', deliverables }
    await ok('PUT', '/v1/customers/marker', {})
    await ok('PUT', '/v1/plans/one', { ...plan, baseFee: '49' })
  })
  afterAll(() => server?.stop())

  test.each(notices)('$id: $why', async ({ input, expected }) => {
    const { quantity } = input
    const all = input.anyOrder === true ? permutations(input.steps) : [input.steps]
    const orders = inLongRun(
      all,
      all.filter((_, n) => n % Math.ceil(all.length / ORDERS_TRIED) === 0),
    )
    for (const steps of orders) {
      const isAsWritten = steps.every((step, at) => step === input.steps[at])
      const { events: wanted, ...state } = scaled(expected, quantity)
      const isHeard = isAsWritten || state.returned.length + state.setAside.length > 0
      const { events, ...found } = await told(input.attempts, quantity, steps, isHeard)
      expect(found, JSON.stringify(steps)).toMatchObject(state)
      if (isAsWritten) expect(events).toEqual(wanted.filter((type) => type !== 'checkout.expired'))
    }
  })

  /** Buys up to the provider's page, tells the steps, and reads what there is. */
  async function told(attempts: readonly string[], quantity: number, steps: readonly Step[], isHeard: boolean) {
    server.set(instant(START))
    const buyer = `buyer-${++buyers}@example.com`
    const { id, url } = await server.ok<{ id: string; url: string }>('POST', '/v1/checkouts', { plan: 'one', quantity })
    const sent = new Map<string, string>()
    for (const attempt of attempts) {
      // The one before failed, which opens the form again.
      for (const before of sent.values()) await tell({ id: `${id} retry`, attempt: before, effect: 'declined', amount: '49.00' }, quantity)
      sent.set(attempt, await confirm(url, buyer))
    }
    if (isHeard) await eventsSince()
    for (const step of steps) {
      if ('expire' in step) server.set(instant('2026-03-09T12:00:00Z'))
      else await tell({ ...step, id: `${id} ${step.id}`, attempt: sent.get(step.attempt) ?? 'nobody' }, quantity)
    }
    const events = isHeard ? await eventsSince() : []
    const dataOf = (type: string) => events.flatMap((event) => (event.type === type ? [event.data] : []))
    const checkout = await server.ok<{ status: string; order: string | null }>('GET', `/v1/checkouts/${id}`)
    const holds = checkout.order === null ? null : await held(checkout.order)
    return {
      checkout: checkout.status,
      ...(holds ?? NOTHING),
      returned: dataOf('payment.returned').map(({ attempt, amount }) => ({ attempt: nameOf(sent, attempt), amount })),
      setAside: dataOf('payment.set_aside').map(({ notice, reason }) => ({ id: notice?.split(' ')[1], reason })),
      events: events.map(({ type }) => type),
    }
  }

  async function held(order: string) {
    const { customer, invoice, status } = await server.ok<Readonly<Record<string, string>>>('GET', `/v1/orders/${order}`)
    const all = async <Row>(path: string) => (await server.ok<{ data: readonly Row[] }>('GET', path)).data
    const documents = await all<Readonly<Record<string, string>>>(`/v1/invoices?customer=${customer}`)
    const document = documents.find((each) => each.id === invoice)
    const notes = documents.filter((each) => each.kind === 'creditNote')
    const licenses = await all<{ status: string }>(`/v1/licenses?customer=${customer}`)
    const files = await all(`/v1/customers/${customer}/downloads`)
    const count = (wanted: string) => licenses.filter((each) => each.status === wanted).length
    return {
      document: { status: document?.status, paid: document?.paid },
      creditNotesTotal: (notes.reduce((sum, { total = '0' }) => sum + Math.round(Number(total) * 100), 0) / 100).toFixed(2),
      order: status,
      licenses: { active: count('active'), suspended: count('suspended'), revoked: count('revoked') },
      access: files.length > 0 ? 'had' : status === 'disputed' ? 'blocked' : 'ended',
    }
  }

  async function confirm(url: string, email: string): Promise<string> {
    const browser = createFormBrowser()
    await browser.get(url)
    const paying = await browser.submit({ email, name: 'Ada', do: 'pay' })
    return /\/pay\/test\/([^/?]+)/.exec(paying.url)?.[1] ?? ''
  }

  async function tell(notice: Notice & { readonly currency?: string }, quantity: number): Promise<void> {
    const body = JSON.stringify(scaled({ currency: 'EUR', ...notice }, quantity))
    const { status } = await fetch(`${server.url}/v1/payment-notices/test`, { method: 'POST', body })
    expect(status).toBe(200)
  }

  /** What was told since the last call: messages are placed in the feed after their commit, in order, so up to one of our own. */
  async function eventsSince() {
    await server.ok('POST', '/v1/customers/marker/credits', { amount: '1', currency: 'EUR' })
    type Event = { readonly type: string; readonly data: Readonly<Record<string, string>> }
    const events: Event[] = []
    while (!events.some(({ type }) => type === 'credit.granted')) {
      const query = feed === undefined ? '' : `?cursor=${feed}`
      const page = await server.ok<{ data: readonly Event[]; nextCursor: string }>('GET', `/v1/webhook-events${query}`)
      events.push(...page.data)
      feed = page.nextCursor
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return events.filter(({ type }) => type !== 'credit.granted')
  }
})

const NOTHING = {
  document: null,
  creditNotesTotal: '0.00',
  order: 'none',
  licenses: { active: 0, suspended: 0, revoked: 0 },
  access: 'none',
}

/** The cases say 49.00 whatever the quantity; here it is the price of one. */
function scaled<Value extends object>(value: Value, quantity: number): Value {
  const text = JSON.stringify(value).replaceAll('"49.00"', JSON.stringify((49 * quantity).toFixed(2)))
  return JSON.parse(text) as Value
}

function nameOf(sent: ReadonlyMap<string, string>, attempt: string | undefined): string | undefined {
  return [...sent].find(([, id]) => id === attempt)?.[0]
}

function permutations<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length < 2) return [items]
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))
}

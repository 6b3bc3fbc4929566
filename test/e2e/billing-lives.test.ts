import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingLife, createBillingLife, type LifeInput } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { casesOf, instant } from '../support/billing/billing-vectors.ts'

type Expected = { readonly documents: readonly object[] }

const CASES = casesOf<LifeInput, Expected>('scenario')

/** All worked lives at once, on one server whose clock goes through their months: each has a customer and plans of its own. */
describe('the worked lives over HTTP', () => {
  let server: BillingServer
  const lives = new Map<string, BillingLife>()

  beforeAll(async () => {
    const steps = CASES.flatMap(({ id, input }) => {
      const life = createBillingLife(id, input, () => server)
      lives.set(id, life)
      return life.steps
    }).toSorted((a, b) => instant(a.at) - instant(b.at))
    server = await startBillingServer(instant(steps[0]?.at ?? ''))
    for (const { at, run } of steps) {
      server.set(instant(at))
      await run()
    }
  })
  afterAll(() => server?.stop())

  test.each(CASES.map(({ id, expected }) => ({ id, expected })))('$id', async ({ id, expected }) => {
    expect((await lives.get(id)?.documents())?.map(shown)).toEqual(expected.documents)
  })

  test('each counted line comes to the same from its events', async () => {
    const proofs = []
    for (const life of lives.values()) {
      for (const { id, lines } of (await life.documents()) ?? []) {
        for (const { line, trace } of lines)
          if (trace !== undefined) proofs.push(await server.ok('GET', `/v1/invoices/${id}/lines/${line}/proof`))
      }
    }
    expect(proofs.length).toBeGreaterThan(CASES.length)
    expect(proofs.filter((proof) => !(proof as { agrees: boolean }).agrees)).toEqual([])
  })

  test('a document is a page by Accept, with nothing of it unescaped', async () => {
    const [document] = (await lives.get('life-two-months')?.documents()) ?? []
    const page = await server.call('GET', `/v1/invoices/${document?.id}`, undefined, { accept: 'text/html,application/xhtml+xml' })
    expect(page).toMatchObject({ status: 200, body: expect.stringMatching(/^<!doctype html>[\s\S]*Base fee[\s\S]*30\.00 USD/) })
  })

  test('the book of all of it proves itself', async () => {
    expect(await server.verify()).toMatchObject({ code: 0, output: expect.stringContaining('No difference found') })
  })
})

const short = (time: string) => time.replace('.000Z', 'Z')

function shown(invoice: FinalInvoice) {
  const lines = invoice.lines.map(({ kind, item, plan, from, to, quantity, amount, discount }) => ({
    ...{ kind, plan: plan?.split('.').at(-1), from: short(from), to: short(to), amount },
    ...(item !== undefined && { item }),
    ...(quantity !== undefined && { quantity }),
    ...(discount !== '0.00' && { discount }),
  }))
  const { document, kind, closesAt, finalisedAt, net, tax, total, balanceApplied, due } = invoice
  return {
    ...{ document, kind, closes: short(closesAt), finalisedAt: short(finalisedAt), lines, net, tax, total, balanceApplied, due },
  }
}

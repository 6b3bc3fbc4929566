import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type IssuedDocument, invoicePdf } from './invoice-pdf.ts'

const INSTANT = '2026-02-01T01:00:00.000Z'

describe('a document as PDF', () => {
  test('is the same bytes each time, and other bytes when a figure on it is another', async () => {
    const pdf = await invoicePdf(document(3))
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(hash(await invoicePdf(document(3)))).toBe(hash(pdf))
    expect(hash(await invoicePdf({ ...document(3), total: '1.01' }))).not.toBe(hash(pdf))
  })

  test('no printing date, path or machine is in it', async () => {
    const pdf = (await invoicePdf(document(1))).toString('latin1')
    expect([...pdf.matchAll(/\(D:(\d+)/g)].map(([, date]) => date)).toEqual(['20260201010000', '20260201010000'])
    expect(pdf).not.toContain(process.cwd())
  })

  test('€ and letters of Europe are glyphs of the embedded font, and no boxes', async () => {
    const text = 'Gebühr für Öl ß € Łódź Ωμέγα Привет'
    const drawn = glyphsOf(await invoicePdf({ ...document(1), seller: { name: text } }))
    // In the map from glyphs to text, each character stands with its own code point.
    for (const character of text.replaceAll(' ', '')) expect(drawn, character).toContain(character)
    expect(glyphsOf(await invoicePdf({ ...document(1), seller: { name: '漢' } }))).not.toContain('漢')
  })

  test('two hundred lines go over pages, none cut, each page numbered and tied to the record by the hash', async () => {
    const pdf = (await invoicePdf(document(200))).toString('latin1')
    const pages = Number(/\/Count (\d+)/.exec(pdf)?.[1])
    expect(pages).toBeGreaterThan(5)
    expect(pages).toBeLessThan(12)
  })
})

function hash(pdf: Buffer): string {
  return createHash('sha256').update(pdf).digest('hex')
}

/** The characters that the fonts' maps to text name. */
function glyphsOf(pdf: Buffer): ReadonlySet<string> {
  const characters = new Set<string>()
  const text = pdf.toString('latin1')
  for (const { index } of text.matchAll(/stream\r?\n/g)) {
    const from = index + (text[index + 6] === '\r' ? 8 : 7)
    const to = text.indexOf('endstream', from)
    const map = inflated(pdf.subarray(from, to))
    if (map?.includes('begincmap') !== true) continue
    for (const [, code = ''] of map.matchAll(/<([0-9a-f]{4})>/gi)) characters.add(String.fromCharCode(Number.parseInt(code, 16)))
  }
  return characters
}

function inflated(stream: Buffer): string | null {
  try {
    return inflateSync(stream).toString('latin1')
  } catch {
    return null
  }
}

function document(lines: number): IssuedDocument {
  const sums = { discount: '0.00', credits: '0.00', net: '1.00', tax: '0.00' }
  return {
    ...{ id: 'inv_1', document: 'invoice', kind: 'cycle', number: 'INV-000001', status: 'finalised', customer: 'acme', subscription: 's' },
    ...{ currency: 'EUR', closesAt: INSTANT, finalisedAt: INSTANT, dueAt: INSTANT, contentHash: 'f'.repeat(64) },
    seller: { name: 'Seller', address: 'Street 1\n12345 Town', footer: 'Thank you' },
    billTo: { customer: 'acme', name: 'Acme', email: null, taxId: null, address: null, taxExempt: false },
    lines: Array.from({ length: lines }, (_, at) => ({
      ...{ line: String(at + 1), kind: 'usage' as const, item: 'tokens', plan: 'pro', planVersion: 1, quantity: '123456789.5' },
      ...{ from: INSTANT, to: INSTANT, amount: '1.00', ...sums },
    })),
    ...{ ...sums, subtotal: '1.00', taxes: [{ key: 'v', name: 'VAT', percent: '20', inclusive: false, base: '1.00', amount: '0.20' }] },
    ...{ total: '1.20', balanceApplied: '0.00', due: '1.20' },
  }
}

import type PDFDocument from 'pdfkit'
import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { customerLines, day, lineName, lineTime, sellerLines, sumsOf, titleOf } from './document-text.ts'
import type { InvoiceJson } from './invoice-json.ts'
import { loadPdfParts } from './pdf-parts.ts'

/** A document as it was issued: nothing on it moves later. */
export type IssuedDocument = Omit<InvoiceJson, 'paid' | 'previousHash' | 'finalisedAt' | 'dueAt'> & {
  readonly finalisedAt: string
  readonly dueAt: string
}

/** What was written as a record is read as one. */
export function issuedDocument({ record, numbered }: Pick<StoredInvoice, 'record' | 'numbered'>): IssuedDocument {
  return { ...(record as unknown as IssuedDocument), contentHash: numbered?.contentHash ?? null }
}

/**
 * The document as PDF, the same bytes each time and on every machine: its dates are the record's, and fonts and streams are put
 * together by plain JavaScript. What has become of the document since is not on it. Characters that the font lacks (Chinese,
 * Japanese, Korean, emoji) are boxes; JSON and HTML have them.
 */
export async function invoicePdf(invoice: IssuedDocument): Promise<Buffer> {
  const { Document, regular, bold } = await loadPdfParts()
  const title = titleOf(invoice)
  const issuedAt = new Date(invoice.finalisedAt)
  const info = {
    Title: title,
    Author: invoice.seller?.name ?? '',
    Creator: 'Tollgate',
    Producer: 'Tollgate',
    CreationDate: issuedAt,
    ModDate: issuedAt,
  }
  const page = new Document({ size: 'A4', margin: MARGIN, bufferPages: true, info, lang: 'en' })
  page.registerFont('regular', regular).registerFont('bold', bold)
  const chunks: Buffer[] = []
  page.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<void>((resolve, reject) => page.once('end', resolve).once('error', reject))
  write(page, invoice, title)
  page.end()
  await ended
  return Buffer.concat(chunks)
}

type Page = InstanceType<typeof PDFDocument>

/** Points; an A4 page is 595 by 842. */
const MARGIN = 50
const WIDTH = 495
const BOTTOM = 842 - MARGIN - 30
const TEXT_SIZE = 9
const SMALL_SIZE = 7
const ROW_GAP = 5
/** The name of a line, and five numbers that stand right. */
const NAME_WIDTH = 175
const QUANTITY_WIDTH = 90
const AMOUNT_WIDTH = (WIDTH - NAME_WIDTH - QUANTITY_WIDTH) / 4

function write(page: Page, invoice: IssuedDocument, title: string): void {
  page.font('bold').fontSize(18).text(title, MARGIN, MARGIN)
  const top = page.y + 15
  const column = WIDTH / 3
  const dates = [`Issued ${day(invoice.finalisedAt)}`, `Due ${day(invoice.dueAt)}`]
  const ends = [
    writeParty(page, 'From', sellerLines(invoice), MARGIN, top, column),
    writeParty(page, 'To', customerLines(invoice), MARGIN + column, top, column),
    writeParty(page, 'Dates', dates, MARGIN + 2 * column, top, column),
  ]
  let y = Math.max(...ends) + 20
  y = writeRow(page, y, 'bold', 'What', null, ['Quantity', 'Amount', 'Discount', 'Credits', `Net ${invoice.currency}`])
  for (const line of invoice.lines) {
    const numbers = [line.quantity ?? '', line.amount, line.discount, line.credits, line.net]
    y = writeRow(page, y, 'regular', lineName(line), lineTime(line), numbers)
  }
  y += 10
  for (const [name, amount] of sumsOf({ ...invoice, previousHash: null })) {
    y = roomFor(page, y, TEXT_SIZE + ROW_GAP)
    const font = name === 'Total' || name === 'Due' ? 'bold' : 'regular'
    page.font(font).fontSize(TEXT_SIZE)
    page.text(name, MARGIN + WIDTH / 2, y, { width: WIDTH / 4 })
    page.text(`${amount} ${invoice.currency}`, MARGIN + (WIDTH * 3) / 4, y, { width: WIDTH / 4, align: 'right' })
    y = page.y + ROW_GAP
  }
  const footer = invoice.seller?.footer
  if (footer !== undefined) {
    page.font('regular').fontSize(TEXT_SIZE)
    y = roomFor(page, y + 15, page.heightOfString(footer, { width: WIDTH }))
    page.text(footer, MARGIN, y, { width: WIDTH })
  }
  writePageFeet(page, invoice)
}

function writeParty(page: Page, heading: string, lines: readonly string[], x: number, y: number, width: number): number {
  page.font('bold').fontSize(SMALL_SIZE).text(heading.toUpperCase(), x, y, { width })
  page.font('regular').fontSize(TEXT_SIZE)
  for (const line of lines) page.text(line, x, page.y, { width: width - 10 })
  return page.y
}

/** Answers where the next row begins; a row is never cut by the end of a page. */
function writeRow(
  page: Page,
  top: number,
  font: 'regular' | 'bold',
  name: string,
  below: string | null,
  numbers: readonly string[],
): number {
  const width = NAME_WIDTH - 10
  page.font(font).fontSize(TEXT_SIZE)
  const nameHeight = page.heightOfString(name, { width })
  const numberWidth = (at: number) => (at === 0 ? QUANTITY_WIDTH : AMOUNT_WIDTH) - 3
  const numberHeights = numbers.map((number, at) => page.heightOfString(number, { width: numberWidth(at) }))
  const belowHeight = below === null ? 0 : page.fontSize(SMALL_SIZE).heightOfString(below, { width })
  const height = Math.max(nameHeight + belowHeight, ...numberHeights)
  const y = roomFor(page, top, height + ROW_GAP)
  page.font(font).fontSize(TEXT_SIZE).text(name, MARGIN, y, { width })
  if (below !== null) page.fontSize(SMALL_SIZE).text(below, MARGIN, y + nameHeight, { width })
  page.fontSize(TEXT_SIZE)
  for (const [at, number] of numbers.entries()) {
    const x = MARGIN + NAME_WIDTH + (at === 0 ? 0 : QUANTITY_WIDTH + (at - 1) * AMOUNT_WIDTH)
    page.text(number, x, y, { width: numberWidth(at), align: 'right' })
  }
  const end = y + height + ROW_GAP
  page
    .moveTo(MARGIN, end - 2)
    .lineTo(MARGIN + WIDTH, end - 2)
    .lineWidth(0.5)
    .strokeColor('#dddddd')
    .stroke()
  return end + 2
}

function roomFor(page: Page, y: number, height: number): number {
  if (y + height <= BOTTOM) return y
  page.addPage()
  return MARGIN
}

/** Written when the number of pages is known; the document's hash ties every page to the record. */
function writePageFeet(page: Page, { id, contentHash }: IssuedDocument): void {
  const { count } = page.bufferedPageRange()
  for (let at = 0; at < count; at++) {
    page.switchToPage(at)
    // Below the margin a text would begin another page.
    page.page.margins.bottom = 0
    page.font('regular').fontSize(6)
    page.text(`${id} ${contentHash ?? ''}`, MARGIN, BOTTOM + 25, { width: WIDTH - 80, lineBreak: false })
    page.text(`Page ${at + 1} of ${count}`, MARGIN + WIDTH - 80, BOTTOM + 25, { width: 80, align: 'right', lineBreak: false })
  }
}

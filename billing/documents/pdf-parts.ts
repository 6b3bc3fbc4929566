import { readFile } from 'node:fs/promises'
import type PDFDocument from 'pdfkit'
import { invariant } from '../../base/invariant.ts'

/** What each PDF is made with. */
export type PdfParts = { readonly Document: typeof PDFDocument; readonly regular: Buffer; readonly bold: Buffer }

let loading: Promise<PdfParts> | null = null

/** Loaded once, by the first document that is asked for as PDF: most processes never are. */
export function loadPdfParts(): Promise<PdfParts> {
  loading ??= load()
  return loading
}

async function load(): Promise<PdfParts> {
  const [pdfkit, regular, bold] = await Promise.all([
    import('pdfkit'),
    readFont(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf')),
    readFont(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf')),
  ])
  return { Document: pdfkit.default, regular, bold }
}

async function readFont(url: string): Promise<Buffer> {
  return withoutLayout(await readFile(new URL(url)))
}

const HEADER_BYTES = 12
const ENTRY_BYTES = 16
const LAYOUT_TABLES: ReadonlySet<string> = new Set(['GSUB', 'GPOS', 'GDEF', 'kern'])

/**
 * The font without its tables for ligatures and kerning, which take two thirds of the time of a document, as they are read anew
 * for each. Only their entries are taken out of the font's directory, which stands behind its header; the other tables stay in
 * their places. Figures and names need none of them.
 */
function withoutLayout(font: Buffer): Buffer {
  const entries = Array.from({ length: font.readUInt16BE(4) }, (_, at) =>
    font.subarray(HEADER_BYTES + at * ENTRY_BYTES, HEADER_BYTES + (at + 1) * ENTRY_BYTES),
  )
  const kept = entries.filter((entry) => !LAYOUT_TABLES.has(entry.toString('latin1', 0, 4)))
  invariant(kept.length < entries.length, 'the font has tables for layout')
  const reduced = Buffer.from(font)
  reduced.writeUInt16BE(kept.length, 4)
  Buffer.concat(kept).copy(reduced, HEADER_BYTES)
  return reduced
}

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type Readable, Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { parse } from 'csv-parse'

/** `text` is the row as JSON; `problem` says why it could not be read. */
export type ImportRow = {
  readonly line: number
  readonly values: Readonly<Record<string, unknown>>
  readonly text: string
  readonly problem: string | null
}

/** Rows of a CSV file (with a header line) or an NDJSON file, gzipped or not; the first bytes tell whether it is gzipped. */
export async function* readRows(file: string, onRead: (bytesRead: number, bytesTotal: number) => void): AsyncGenerator<ImportRow> {
  const { size: bytesTotal, isGzip } = await inspect(file)
  let bytesRead = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytesRead += chunk.length
      onRead(bytesRead, bytesTotal)
      done(null, chunk)
    },
  })
  const source = createReadStream(file)
  const plain = isGzip ? source.pipe(meter).pipe(createGunzip()) : source.pipe(meter)
  source.on('error', (error) => plain.destroy(error))
  try {
    yield* (await isNdjson(file, plain)) ? ndjsonRows(plain) : csvRows(plain)
  } finally {
    source.destroy()
  }
}

const GZIP_MAGIC = 0x1f8b

async function inspect(file: string): Promise<{ size: number; isGzip: boolean }> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return { size, isGzip: bytesRead === 2 && buffer.readUInt16BE(0) === GZIP_MAGIC }
  } finally {
    await handle.close()
  }
}

/** The file's name decides; where it does not, a first line that opens an object means NDJSON. */
async function isNdjson(file: string, plain: Readable): Promise<boolean> {
  const name = file.toLowerCase().replace(/\.gz$/, '')
  if (/\.(ndjson|jsonl|json)$/.test(name)) return true
  if (name.endsWith('.csv')) return false
  await new Promise<void>((resolve, reject) => {
    plain.once('readable', resolve)
    plain.once('error', reject)
  })
  const first = plain.read() as Buffer | null
  if (first !== null) plain.unshift(first)
  return first !== null && /^\s*\{/.test(first.subarray(0, 64).toString())
}

async function* ndjsonRows(plain: Readable): AsyncGenerator<ImportRow> {
  const lines = createInterface({ input: plain, crlfDelay: Number.POSITIVE_INFINITY })
  // readline does not pass on errors of its input.
  let failure: unknown = null
  plain.once('error', (error) => {
    failure = error
    lines.close()
  })
  let line = 0
  for await (const read of lines) {
    line += 1
    const text = line === 1 ? read.replace(/^\ufeff/, '') : read
    if (text.trim() === '') continue
    yield ndjsonRow(line, text)
  }
  if (failure !== null) throw failure
}

function ndjsonRow(line: number, text: string): ImportRow {
  try {
    const values: unknown = JSON.parse(text)
    if (typeof values === 'object' && values !== null && !Array.isArray(values)) {
      return { line, values: values as Record<string, unknown>, text, problem: null }
    }
  } catch {
    // Reported below, like any other text that is no object.
  }
  return { line, values: {}, text, problem: 'the line is not a JSON object' }
}

async function* csvRows(plain: Readable): AsyncGenerator<ImportRow> {
  const parser = parse({ columns: true, bom: true, skip_empty_lines: true, trim: true, relax_column_count: true, info: true })
  plain.once('error', (error) => parser.destroy(error))
  for await (const row of plain.pipe(parser) as AsyncIterable<CsvRow>) {
    const problem = row.info.error === undefined ? null : row.info.error.message
    yield { line: row.info.lines, values: row.record, text: JSON.stringify(row.record), problem }
  }
}

type CsvRow = { readonly record: Readonly<Record<string, string>>; readonly info: { readonly lines: number; readonly error?: Error } }

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../process/system-clock.ts'
import { type EventMapping, eventOfRow, parseDataColumns } from './event-mapping.ts'
import { createEventSender } from './event-sender.ts'
import { importFile } from './import-file.ts'

type Answer = (lines: readonly string[], attempt: number) => { status: number; body: unknown; headers?: Record<string, string> }

const acceptAll: Answer = (lines) => ({ status: 202, body: { accepted: lines.length, rejected: [] } })
const mapping: EventMapping = {
  type: 'llm.request',
  source: null,
  idColumn: 'id',
  timeColumn: 'at',
  customerColumn: 'customer',
  data: parseDataColumns('model,tokens:number'),
}

let dir: string
let server: Server
let answer: Answer
let received: string[]
let attempts: number

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tollgate-import-'))
  received = []
  attempts = 0
  answer = acceptAll
  server = createServer((request, response) => void respond(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true })
})

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const lines = Buffer.concat(chunks).toString().split('\n')
  attempts += 1
  const { status, body, headers } = answer(lines, attempts)
  if (status === 202) received.push(...lines)
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

async function run(file: string, content: string | Buffer, rows: EventMapping | null = mapping) {
  const path = join(dir, file)
  writeFileSync(path, content)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const retries: string[] = []
  const sender = createEventSender({ clock: systemClock, url, key: 'k', isBackfill: false, onRetry: (reason) => retries.push(reason) })
  const progress = { rows: 0, accepted: 0, refused: 0, bytesRead: 0, bytesTotal: 0 }
  return { result: await importFile({ file: path, mapping: rows, sender, progress }), retries, progress }
}

const CSV = 'id,at,customer,model,tokens\na,2023-11-16T18:17:03Z,acme,"large, new",12.500\nb,2023-11-16 18:17:04,acme,,7\n'

describe('rows become events', () => {
  test.each([
    { name: 'csv', file: 'x.csv', content: CSV },
    { name: 'gzipped csv', file: 'x.csv.gz', content: gzipSync(CSV) },
    { name: 'gzip without saying so', file: 'x.csv', content: gzipSync(CSV) },
    { name: 'byte order mark and CRLF', file: 'x.csv', content: `\uFEFF${CSV.replaceAll('\n', '\r\n')}` },
    {
      name: 'ndjson',
      file: 'x.ndjson',
      content:
        '{"id":"a","at":"2023-11-16T18:17:03Z","customer":"acme","model":"large, new","tokens":"12.500"}\n\n{"id":"b","at":"2023-11-16 18:17:04","customer":"acme","tokens":7}',
    },
    {
      name: 'ndjson by its first line',
      file: 'export',
      content:
        '{"id":"a","at":"2023-11-16T18:17:03Z","customer":"acme","model":"large, new","tokens":"12.500"}\n{"id":"b","at":"2023-11-16 18:17:04","customer":"acme","tokens":7}\n',
    },
  ])('$name', async ({ file, content }) => {
    const { result, progress } = await run(file, content)
    expect(received).toEqual([
      '{"id":"a","type":"llm.request","customer":"acme","time":"2023-11-16T18:17:03Z","data":{"model":"large, new","tokens":12.500}}',
      '{"id":"b","type":"llm.request","customer":"acme","time":"2023-11-16T18:17:04Z","data":{"tokens":7}}',
    ])
    expect(result).toEqual({ rows: 2, accepted: 2, refused: 0, firstRefusals: [] })
    expect(progress.bytesRead).toBe(progress.bytesTotal)
  })

  test('without a mapping a line is an event already', async () => {
    await run('x.ndjson', '{"id":"1","type":"t","customer":"c"}\n', null)
    expect(received).toEqual(['{"id":"1","type":"t","customer":"c"}'])
  })

  test.each([
    { row: { id: '', at: 't', customer: 'c' }, code: 'missing_id' },
    { row: { id: '1', at: 't' }, code: 'missing_customer' },
    { row: { id: '1', at: '', customer: 'c' }, code: 'missing_time' },
    { row: { id: '1', at: 't', customer: 'c', tokens: '1,5' }, code: 'invalid_value' },
    { row: { id: '1', at: 't', customer: 'c', tokens: '0x10' }, code: 'invalid_value' },
  ])('$code', ({ row, code }) => {
    expect(eventOfRow(row, mapping)).toMatchObject({ code })
  })

  test('a nested column of NDJSON, and a type that is none', () => {
    const data = parseDataColumns('usage.tokens:number')
    expect(eventOfRow({ id: '1', customer: 'c', usage: { tokens: 3 } }, { ...mapping, timeColumn: null, data })).toContain(
      '"usage.tokens":3',
    )
    expect(() => parseDataColumns('tokens:decimal')).toThrow('COLUMN:string|number|boolean')
  })
})

describe('what the server says', () => {
  test('refusals carry the line of the file', async () => {
    answer = () => ({ status: 202, body: { accepted: 1, rejected: [{ index: 1, id: 'b', code: 'too_old', detail: 'old' }] } })
    const { result } = await run('x.csv', CSV)
    expect(result).toMatchObject({ accepted: 1, refused: 1, firstRefusals: [{ line: 3, id: 'b', code: 'too_old' }] })
  })

  test('a batch of which nothing is acceptable is refused row by row', async () => {
    answer = () => ({ status: 400, body: { code: 'invalid_events', errors: [{ field: '[1]', code: 'too_old', detail: 'old' }] } })
    const { result } = await run('x.csv', CSV)
    expect(result).toMatchObject({ accepted: 0, refused: 2, firstRefusals: [{ line: 2 }, { line: 3, code: 'too_old' }] })
  })

  test('a full or stopping server is tried again, after as long as it says', async () => {
    answer = (lines, attempt) =>
      attempt <= 2
        ? { status: attempt === 1 ? 429 : 503, body: { code: 'busy' }, headers: { 'retry-after': '0' } }
        : acceptAll(lines, attempt)
    const { result, retries } = await run('x.csv', CSV)
    expect([result.accepted, retries.length, attempts]).toEqual([2, 2, 3])
  })

  test('a key that is refused ends the import', async () => {
    answer = () => ({ status: 401, body: { code: 'invalid_key', detail: 'No such key' } })
    await expect(run('x.csv', CSV)).rejects.toThrow('401: No such key')
    expect(attempts).toBe(1)
  })

  test('many rows go in bounded batches, each once', async () => {
    const rows = Array.from({ length: 12_345 }, (_, row) => `r${row},2023-11-16T18:17:03Z,c${row % 7},m,${row}`)
    const { result } = await run('x.csv', `id,at,customer,model,tokens\n${rows.join('\n')}`)
    expect(result).toMatchObject({ rows: 12_345, accepted: 12_345 })
    expect(new Set(received.map((line) => (JSON.parse(line) as { id: string }).id)).size).toBe(12_345)
    expect(attempts).toBe(13)
  })
})

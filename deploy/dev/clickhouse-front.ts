import { mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Session } from 'chdb'

/**
 * The ClickHouse engine behind the part of ClickHouse's HTTP interface that @clickhouse/client speaks: statements in body, URL or
 * multipart; `param_`s, settings, database, basic authentication, error codes. Run as: clickhouse-front DIR PORT PASSWORD
 * [CONFIG]; prints `ready`. Parameters arrive as text and are passed to the engine as that text, as the real server does.
 */
const [dir = '', port = '', password = '', configFile] = process.argv.slice(2)

const USER = 'tollgate'
const SESSIONS = 4
/** Settings of the HTTP layer, which the engine does not know. */
const NOT_SETTINGS = new Set([
  ...['query', 'database', 'query_id', 'session_id', 'role', 'default_format', 'wait_end_of_query', 'enable_http_compression'],
  ...['send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'http_write_exception_in_output_format'],
])

const incoming = join(dir, 'incoming')
let files = 0
mkdirSync(incoming, { recursive: true })
/** A session runs one statement at a time. */
const idle = Array.from(
  { length: SESSIONS },
  () => new Session(dir, configFile === undefined ? {} : { connectionArgs: [`--config-file=${configFile}`] }),
)
// Parameters become part of the statement here; over HTTP they are separate.
for (const session of idle) await session.queryAsync('SET max_query_size = 268435456')
const waiting: ((session: Session) => void)[] = []

type Statement = { readonly text: string; readonly data: Buffer | null; readonly settings: URLSearchParams }

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => fail(response, error))
})
server.keepAliveTimeout = 10_000
server.listen(Number(port), '127.0.0.1', () => console.log('ready'))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://front')
  const body = await readBody(request)
  if (url.pathname === '/ping') {
    response.end('Ok.\n')
    return
  }
  if (!isKnown(request))
    throw new Error(
      `Code: 516. DB::Exception: ${USER}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)`,
    )
  const result = await run(statementOf(url, body, request.headers['content-type'] ?? ''))
  response.setHeader('X-ClickHouse-Query-Id', url.searchParams.get('query_id') ?? '')
  response.setHeader('X-ClickHouse-Summary', JSON.stringify({ read_rows: '0', read_bytes: '0', written_rows: '0', written_bytes: '0' }))
  response.end(result)
}

function isKnown({ headers }: IncomingMessage): boolean {
  const [, encoded = ''] = (headers.authorization ?? '').split(' ')
  return Buffer.from(encoded, 'base64').toString() === `${USER}:${password}`
}

/** With the statement in the URL, the body has its data. */
function statementOf({ searchParams }: URL, body: Buffer, contentType: string): Statement {
  const boundary = /boundary=(.*)$/.exec(contentType)?.[1]
  if (boundary !== undefined) {
    const parts = partsOf(body.toString(), boundary)
    for (const [name, value] of parts) if (name !== 'query') searchParams.set(name, value)
    return { text: parts.get('query') ?? '', data: null, settings: searchParams }
  }
  const inUrl = searchParams.get('query')
  return inUrl === null
    ? { text: body.toString(), data: null, settings: searchParams }
    : { text: inUrl, data: body, settings: searchParams }
}

function partsOf(body: string, boundary: string): Map<string, string> {
  const parts = new Map<string, string>()
  for (const part of body.split(`--${boundary}`)) {
    const [, name, value] = /name="([^"]*)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n([\s\S]*)\r\n$/.exec(part) ?? []
    if (name !== undefined && value !== undefined) parts.set(name, value)
  }
  return parts
}

async function run({ text, data, settings }: Statement): Promise<Uint8Array> {
  const before: string[] = []
  const database = settings.get('database')
  before.push(`USE ${database === null ? 'default' : `\`${database.replaceAll('`', '\\`')}\``}`)
  for (const [name, value] of settings) if (!NOT_SETTINGS.has(name)) before.push(`SET ${name} = ${literal(value)}`)
  const file = data === null || data.length === 0 ? null : join(incoming, `${++files}`)
  const session = await takeSession()
  try {
    if (file !== null) await writeFile(file, data ?? '')
    const statement = file === null ? text : readingFrom(file, text)
    return (await session.queryAsync(`${before.join('; ')}; ${statement}`, { format: 'TabSeparated' })).bytes()
  } finally {
    if (file !== null) await rm(file, { force: true })
    const next = waiting.shift()
    if (next === undefined) idle.push(session)
    else next(session)
  }
}

/** `INSERT INTO table (columns) FORMAT name` with its data in a file. */
function readingFrom(file: string, text: string): string {
  const [, into, columns, format] = /^\s*INSERT INTO (\S+) \(([^)]*)\)\s+FORMAT (\w+)\s*$/i.exec(text) ?? []
  if (into === undefined) throw new Error(`Code: 62. DB::Exception: data for what is no insert: ${text.slice(0, 200)} (SYNTAX_ERROR)`)
  return `INSERT INTO ${into} (${columns}) SELECT ${columns} FROM file(${literal(file)}, ${format})`
}

async function takeSession(): Promise<Session> {
  return idle.pop() ?? (await new Promise<Session>((resolve) => waiting.push(resolve)))
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function fail(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  const code = /Code: (\d+)\./.exec(message)?.[1] ?? '1002'
  response.statusCode = code === '516' ? 403 : code === '60' || code === '81' ? 404 : 500
  response.setHeader('X-ClickHouse-Exception-Code', code)
  response.end(`${message.startsWith('Code:') ? message : `Code: ${code}. DB::Exception: ${message} (UNKNOWN_EXCEPTION)`}\n`)
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

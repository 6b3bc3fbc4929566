import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findOrInstall } from '../../../deploy/dev/apt.ts'
import { freePort, isPortOpen } from '../../../deploy/dev/server-process.ts'
import { reportImplementation } from '../implementations.ts'
import { spawnOwned } from './owned-process.ts'
import { waitFor } from './tollgate-process.ts'

export type Gateway = { readonly url: string; discard(): Promise<void> }

/** The addresses of a role's processes, which all listen on one port, as containers do. */
export type Roles = { readonly port: number; readonly addresses: Readonly<Record<'ingest' | 'api', readonly string[]>> }

/**
 * A real nginx with the file of deploy/gateway; its ports, its paths and the address of the name server are this machine's. Says
 * why there is none where nginx is neither there nor can be installed; with CI=true that is a failure.
 */
export async function startGateway({ port: rolePort, addresses }: Roles): Promise<Gateway | { readonly missing: string }> {
  let command: string
  try {
    command = await findOrInstall(['nginx', '/usr/sbin/nginx'], 'nginx-light')
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error)
    reportImplementation({ name: 'nginx', version: null, missing })
    if (process.env.CI === 'true') throw error
    return { missing }
  }
  const { stderr } = await promisify(execFile)(command, ['-v'])
  reportImplementation({ name: 'nginx', version: stderr.trim().replace(/^nginx version: /, ''), missing: null })
  const dir = await mkdtemp(join(tmpdir(), 'tollgate-gateway-'))
  const names = await startNameServer(addresses)
  const port = await freePort()
  const file = join(dir, 'nginx.conf')
  const text = await readFile(new URL('../../../deploy/gateway/nginx.conf', import.meta.url), 'utf8')
  await writeFile(
    file,
    text
      .replace('listen 8080;', `listen 127.0.0.1:${port};`)
      .replaceAll('http://$role:8080;', `http://$role:${rolePort};`)
      .replace('resolver 127.0.0.11 valid=5s;', `resolver 127.0.0.1:${names.port} valid=5s ipv6=off;`)
      .replaceAll('/tmp/', `${dir}/`),
  )
  const nginx = spawnOwned(command, ['-c', file, '-p', dir, '-e', join(dir, 'error.log'), '-g', 'daemon off; master_process off;'])
  await waitFor(() => isPortOpen(port), START_LIMIT_MS)
  return {
    url: `http://127.0.0.1:${port}`,
    async discard() {
      const ended = once(nginx, 'exit')
      nginx.kill('SIGTERM')
      await ended
      names.stop()
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const START_LIMIT_MS = 15_000

/** Answers for the names of roles, as the name server of a container engine does: one A record per process. */
async function startNameServer(addresses: Roles['addresses']): Promise<{ readonly port: number; stop(): void }> {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const known = Object.entries(addresses).find(([name]) => name === firstLabelOf(query))
    socket.send(answerTo(query, known?.[1] ?? []), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, stop: () => socket.close() }
}

/** RFC 1035, section 4.1: a header of 12 bytes, then the question, whose name is of labels after their length. */
const HEADER_BYTES = 12

function firstLabelOf(query: Buffer): string {
  const length = query[HEADER_BYTES] ?? 0
  return query.toString('latin1', HEADER_BYTES + 1, HEADER_BYTES + 1 + length)
}

function answerTo(query: Buffer, addresses: readonly string[]): Buffer {
  const questionEnd = query.indexOf(0, HEADER_BYTES) + 5
  const header = Buffer.from(query.subarray(0, HEADER_BYTES))
  // An answer without an error; one question, and so many records.
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(addresses.length, 6)
  header.fill(0, 8)
  // The name of the question, type A, class IN, one second, four bytes.
  const records = addresses.map((address) =>
    Buffer.from([0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]),
  )
  return Buffer.concat([header, query.subarray(HEADER_BYTES, questionEnd), ...records])
}

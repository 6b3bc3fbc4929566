import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { html, htmlPage, PAGE_CSP } from '../documents/html-page.ts'

/** Nothing from elsewhere, no inline script or style, and no text becomes a script: the browser enforces it. */
const CONSOLE_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"

/**
 * Serves the built console below `/console`. Files with a hash in their name never change; every path that is no file answers the
 * page, which shows what the path names. Without a build it says what to run. The folder is read once, on the first request.
 */
export function consoleFiles(folder: string): (app: HttpApp) => Promise<void> {
  return async (app) => {
    let reading: Promise<Files> | null = null
    const answer = async (request: FastifyRequest, reply: FastifyReply) => {
      reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer')
      reply.header('cross-origin-opener-policy', 'same-origin')
      if (!existsSync(join(folder, PAGE))) {
        reply.header('content-security-policy', PAGE_CSP).header('cache-control', 'no-store')
        return reply.code(503).type('text/html; charset=utf-8').send(notBuiltPage())
      }
      reading ??= readFiles(folder)
      const files = await reading.catch((error) => {
        reading = null
        throw error
      })
      const path = request.url.split('?', 1)[0]?.slice('/console/'.length) ?? ''
      if (path.startsWith('api/')) throw new RefusalError(refuse('not_found', { path: `/console/${path}` }))
      const isAsset = path.startsWith(ASSETS)
      const name = files.has(path) ? path : PAGE
      const file = files.get(name)
      if (file === undefined || (isAsset && name === PAGE)) throw new RefusalError(refuse('not_found', { path: `/console/${path}` }))
      reply.header('content-security-policy', CONSOLE_CSP).header('vary', 'Accept-Encoding')
      reply.header('cache-control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache')
      const encoding = ENCODINGS.find((each) => files.has(name + each.end) && acceptsEncoding(request, each.name))
      const bytes = encoding === undefined ? file : (files.get(name + encoding.end) ?? file)
      if (encoding !== undefined) reply.header('content-encoding', encoding.name)
      return reply.type(TYPES[extname(name)] ?? 'application/octet-stream').send(bytes)
    }
    app.get('/console', { schema: HIDDEN }, answer)
    app.get('/console/*', { schema: HIDDEN }, answer)
  }
}

const HIDDEN = { hide: true } as object
const PAGE = 'index.html'
const ASSETS = 'assets/'
const ENCODINGS = [
  { name: 'br', end: '.br' },
  { name: 'gzip', end: '.gz' },
] as const
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}

/** By path below the folder. The build is a few megabytes, all of which a browser asks for. */
type Files = ReadonlyMap<string, Buffer>

async function readFiles(folder: string): Promise<Files> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(paths.map(async (path) => [path.slice(folder.length + 1).replaceAll('\\', '/'), await readFile(path)] as const)),
  )
}

function acceptsEncoding(request: FastifyRequest, encoding: string): boolean {
  const accepted = [request.headers['accept-encoding'] ?? ''].flat().join(',')
  return accepted.split(',').some((each) => {
    const [name = '', weight] = each.split(';').map((part) => part.trim())
    return name === encoding && (weight === undefined || Number(weight.replace('q=', '')) !== 0)
  })
}

function notBuiltPage(): string {
  const text =
    'The console is not built. Stop the server, run `npm ci` and `npm start`, and read what the build says. The API works without it.'
  return htmlPage('Console', `<h1>Console</h1>\n<p>${html(text)}</p>\n<p><a href="docs">API reference</a></p>`)
}

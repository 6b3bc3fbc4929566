import type { Readable } from 'node:stream'
import type { DownloadRecord, Release } from '../../adapters/database/downloads/download-store.ts'
import type { CustomerKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { CustomerParamsSchema, KeyParamsSchema, PageQuerySchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import {
  CustomerDownloadsSchema,
  CustomerLinksSchema,
  DownloadInputSchema,
  DownloadPageSchema,
  DownloadSchema,
  ReleaseListSchema,
  ReleaseParamsSchema,
  ReleaseQuerySchema,
  ReleaseSchema,
  WithdrawInputSchema,
} from '../../schemas/http/downloads.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { recordTimesJson } from '../../schemas/http/record-times.ts'
import { originOf } from '../pages/origin.ts'
import type { SellingKit } from '../selling-kit.ts'
import { customerDownloads, customerLinks } from './customer-downloads.ts'
import { storeRelease } from './store-release.ts'

export type DownloadRoutesDeps = Pick<SellingKit, 'clock' | 'vault' | 'stores' | 'files' | 'downloadBytesMax' | 'publicUrl'>

export function downloadRoutes(deps: DownloadRoutesDeps): (app: HttpApp) => Promise<void> {
  const { clock, stores, files, publicUrl } = deps
  const { downloads } = stores
  return async (app) => {
    app.put('/v1/downloads/:key', { config: { scope: 'admin' }, schema: PUT_DOWNLOAD }, async (request, reply) => {
      const { name, description = null } = request.body
      const { value, result } = await downloads.put(request.principal.tenant, { key: request.params.key, name, description })
      return reply.code(result === 'created' ? 201 : 200).send(downloadJson(value))
    })
    app.get('/v1/downloads/:key', { config: { scope: 'read' }, schema: GET_DOWNLOAD }, async (request) => {
      const { key } = request.params
      return downloadJson(orThrow((await downloads.get(request.principal.tenant, key)) ?? refuse('unknown_download', { download: key })))
    })
    app.get('/v1/downloads', { config: { scope: 'read' }, schema: LIST_DOWNLOADS }, async (request) => {
      const { limit = 100, ...rest } = request.query
      const { data, nextCursor } = await downloads.list(request.principal.tenant, { limit, ...rest })
      return { data: data.map(downloadJson), nextCursor }
    })
    app.get('/v1/downloads/:key/releases', { config: { scope: 'read' }, schema: LIST_RELEASES }, async (request) => {
      const { tenant } = request.principal
      const { key } = request.params
      orThrow((await downloads.get(tenant, key)) ?? refuse('unknown_download', { download: key }))
      return { data: (await downloads.releasesOf(tenant, key)).map(releaseJson) }
    })
    app.post('/v1/downloads/:key/releases/:version/withdraw', { config: { scope: 'admin' }, schema: WITHDRAW }, async (request) => {
      const { tenant } = request.principal
      const { key: download, version } = request.params
      const { erase: isErased = false } = request.body ?? {}
      const withdrawn = await downloads.withdraw(tenant, download, version, { nowMs: clock.now(), isErased })
      const release = orThrow(withdrawn ?? refuse('unknown_release', { download, version }))
      if (release.erasedMs !== null) await files.remove({ tenant, id: release.id })
      return releaseJson(release)
    })
    app.get('/v1/customers/:key/downloads', { config: { scope: 'read' }, schema: LIST_CUSTOMER_DOWNLOADS }, async (request) => {
      const { tenant } = request.principal
      const customer = request.params.key as CustomerKey
      orThrow((await stores.customers.get(tenant, customer)) ?? refuse('unknown_customer', { customer }))
      const shown = await customerDownloads(deps, tenant, customer, clock.now())
      const origin = originOf(request, publicUrl)
      const data = shown.map(({ name, release: { download, version, filename, bytes, sha256 }, path, endMs }) => {
        return { download, name, version, filename, bytes, sha256, url: `${origin}${path}`, expiresAt: instantJson(endMs) }
      })
      return { data }
    })
    app.get('/v1/customers/:key/links', { config: { scope: 'read' }, schema: LIST_CUSTOMER_LINKS }, async (request) => {
      const { tenant } = request.principal
      const customer = request.params.key as CustomerKey
      orThrow((await stores.customers.get(tenant, customer)) ?? refuse('unknown_customer', { customer }))
      return { data: [...(await customerLinks(deps, tenant, customer))] }
    })
    await app.register(uploads(deps))
  }
}

/** Bodies are files here, of any content type: they are streamed to the store and never gathered. */
function uploads(deps: DownloadRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done: (error: Error | null, body?: unknown) => void) => done(null, payload))
    const config = { scope: 'admin' } as const
    app.post(
      '/v1/downloads/:key/releases',
      { config, bodyLimit: Number.MAX_SAFE_INTEGER, schema: CREATE_RELEASE },
      async (request, reply) => {
        const declared = request.headers['content-length']
        const { version, filename } = request.query
        const upload = {
          ...{ download: request.params.key, version, filename, bytes: (request.body ?? request.raw) as Readable },
          declaredBytes: declared === undefined ? null : Number(declared),
        }
        const release = orThrow(await storeRelease(deps, request.principal.tenant, upload, deps.clock.now()))
        return reply.code(201).send(releaseJson(release))
      },
    )
  }
}

function downloadJson({ key, name, description, createdMs, updatedMs }: DownloadRecord) {
  return { key, name, description, ...recordTimesJson({ createdMs, updatedMs }) }
}

function releaseJson({ id, download, version, filename, bytes, sha256, createdMs, withdrawnMs }: Release) {
  return {
    ...{ id, download, version, filename, bytes, sha256, createdAt: instantJson(createdMs) },
    withdrawnAt: withdrawnMs === null ? null : instantJson(withdrawnMs),
  }
}

const TAGS = { tags: ['downloads'] }
const PUT_DOWNLOAD = {
  ...TAGS,
  operationId: 'putDownload',
  summary: 'Make or change a download: a named file with releases',
  params: KeyParamsSchema,
  body: DownloadInputSchema,
  response: { 200: DownloadSchema, 201: DownloadSchema, ...REFUSALS },
}
const GET_DOWNLOAD = {
  ...TAGS,
  operationId: 'getDownload',
  summary: 'A download',
  params: KeyParamsSchema,
  response: { 200: DownloadSchema, ...REFUSALS },
}
const LIST_DOWNLOADS = {
  ...TAGS,
  operationId: 'listDownloads',
  summary: 'Downloads in the order of their keys',
  querystring: PageQuerySchema,
  response: { 200: DownloadPageSchema, ...REFUSALS },
}
const CREATE_RELEASE = {
  ...TAGS,
  operationId: 'createRelease',
  summary: 'Upload a release; the body is the file',
  description: 'A release is written once and never changed. Size and SHA-256 are answered.',
  params: KeyParamsSchema,
  querystring: ReleaseQuerySchema,
  response: { 201: ReleaseSchema, ...REFUSALS, 413: ProblemSchema },
}
const LIST_RELEASES = {
  ...TAGS,
  operationId: 'listReleases',
  summary: 'Releases of a download, newest first',
  params: KeyParamsSchema,
  response: { 200: ReleaseListSchema, ...REFUSALS },
}
const WITHDRAW = {
  ...TAGS,
  operationId: 'withdrawRelease',
  summary: 'Withdraw a release: those who bought before keep it, unless its bytes are erased',
  params: ReleaseParamsSchema,
  body: WithdrawInputSchema,
  response: { 200: ReleaseSchema, ...REFUSALS },
}
const LIST_CUSTOMER_DOWNLOADS = {
  ...TAGS,
  operationId: 'listCustomerDownloads',
  summary: 'The releases that a customer has, each with a link',
  params: CustomerParamsSchema,
  response: { 200: CustomerDownloadsSchema, ...REFUSALS },
}
const LIST_CUSTOMER_LINKS = {
  ...TAGS,
  operationId: 'listCustomerLinks',
  summary: 'The addresses that a customer has bought',
  params: CustomerParamsSchema,
  response: { 200: CustomerLinksSchema, ...REFUSALS },
}

import { Type } from 'typebox'
import { orThrow } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { SellingKit } from '../selling-kit.ts'
import { readRange } from './byte-range.ts'
import { dispositionOf } from './file-name.ts'
import { bytesOf, takeDownload } from './serve-download.ts'

export type LinkRoutesDeps = Pick<SellingKit, 'clock' | 'vault' | 'write' | 'stores' | 'files'>

/** Download links: whoever has one has the file, for as long as it is good. */
export function linkRoutes(deps: LinkRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.route({
      method: ['GET', 'HEAD'],
      url: '/d/:token',
      schema: { hide: true, params: Type.Object({ token: Type.String({ maxLength: 1_024 }) }) },
      async handler(request, reply) {
        const isHead = request.method === 'HEAD'
        const served = orThrow(await takeDownload(deps, request.params.token, !isHead, deps.clock.now()))
        const { release, link } = served
        const etag = `"${release.sha256}"`
        reply.headers({
          'accept-ranges': 'bytes',
          etag,
          'content-type': 'application/octet-stream',
          'content-disposition': dispositionOf(release.filename),
          'x-content-type-options': 'nosniff',
          'cache-control': 'private, no-store',
          'referrer-policy': 'no-referrer',
        })
        // A range goes on with a file that is still the same; else all of it is sent.
        const ifRange = request.headers['if-range']
        const header = ifRange === undefined || ifRange === etag ? request.headers.range : undefined
        const range = isHead ? null : readRange(header, release.bytes)
        if (range === 'unsatisfiable') return reply.code(416).header('content-range', `bytes */${release.bytes}`).send()
        if (isHead) return reply.header('content-length', String(release.bytes)).send()
        const name = { tenant: link.tenant, id: release.id }
        const elsewhere = await deps.files.link(name, { disposition: dispositionOf(release.filename), type: 'application/octet-stream' })
        if (elsewhere !== null) return reply.removeHeader('content-type').code(302).header('location', elsewhere).send()
        const bytes = orThrow(await bytesOf(deps, served, range ?? undefined))
        if (range === null) return reply.header('content-length', String(release.bytes)).send(bytes)
        reply.code(206).header('content-range', `bytes ${range.from}-${range.to - 1}/${release.bytes}`)
        return reply.header('content-length', String(range.to - range.from)).send(bytes)
      },
    })
  }
}

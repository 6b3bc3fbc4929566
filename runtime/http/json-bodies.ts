import type { HttpApp } from '../../schemas/http/common.ts'

/**
 * JSON as Fastify reads it (a byte order mark is passed over, poisoned keys are refused), but to a route that reads no body an
 * empty one is none: clients name their content type on a POST or DELETE that brings nothing.
 */
export function readJsonBodies(app: HttpApp): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    const isEmpty = body === '' || body === BYTE_ORDER_MARK
    if (isEmpty && request.routeOptions.schema?.body === undefined) done(null, undefined)
    else parse(request, isEmpty ? '' : body, done)
  })
}

const BYTE_ORDER_MARK = '\u{feff}'

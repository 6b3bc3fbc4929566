import type { FastifyRequest } from 'fastify'

/** Where the server is reached from outside: as the setting says, else where this request came to. */
export function originOf(request: Pick<FastifyRequest, 'protocol' | 'host'>, publicUrl: string | null): string {
  return publicUrl ?? `${request.protocol}://${request.host}`
}

import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { HttpApp } from '../../../schemas/http/common.ts'

/** Serializes answers by their route's schemas, each compiled by the first answer that needs it, like the requests' schemas. */
export function serializeAnswers(app: HttpApp): void {
  const compile = SerializerSelector()({}, {})
  app.setSerializerCompiler(({ httpStatus = 'default', ...route }) => {
    let serialize: ReturnType<typeof compile> | null = null
    return (answer: unknown) => {
      serialize ??= compile({ ...route, httpStatus })
      return serialize(answer)
    }
  })
}

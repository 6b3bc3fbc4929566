import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

/** More than any body of ours needs. The parser takes any depth, but the code after it is recursive and would run out of stack. */
const BODY_DEPTH_MAX = 64

/** Checked before the schema, so that neither the schema nor its error messages meet an endlessly deep body. */
export function refuseDeepBodies(app: HttpApp): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const { body } = request
    // A stream is read by its handler, which has its own bound.
    if (!isJsonContainer(body) || isWithin(body, BODY_DEPTH_MAX)) return done()
    done(new RefusalError(refuse('body_too_deep', { levelsMax: BODY_DEPTH_MAX })))
  })
}

function isJsonContainer(value: unknown): value is object {
  return Array.isArray(value) || (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
}

function isWithin(value: object, levels: number): boolean {
  if (levels === 0) return false
  for (const item of Object.values(value)) {
    if (typeof item === 'object' && item !== null && !isWithin(item, levels - 1)) return false
  }
  return true
}

import { type Outcome, refuseFields } from '../../domain/refusal.ts'
import { isOrigin } from '../../domain/tenant-settings.ts'

/** Refuses `invalid_origin` with every entry of field `origins` that no browser would send. */
export function wrongOrigins(origins: readonly string[]): Outcome<null> {
  const errors = origins.flatMap((origin, at) => {
    if (isOrigin(origin)) return []
    const detail = `origins[${at}] must be a site as browsers name it, such as https://app.example.com, was '${origin}'`
    return [{ field: `origins[${at}]`, code: 'invalid_origin', detail } as const]
  })
  return errors.length === 0 ? null : refuseFields('invalid_origin', errors)
}

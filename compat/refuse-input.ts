import { RefusalError, refuseFields } from '../domain/refusal.ts'

/** Refuses a field of a vendor's request under the vendor's own name for it, as `invalid_request`. */
export function refuseInput(field: string, detail: string, code: 'invalid' | 'missing' = 'invalid'): never {
  throw new RefusalError(refuseFields('invalid_request', [{ field, code, detail }]))
}

import type { OwnCustomer } from './own-routes.ts'

/** Known by its usage alone: a vendor's call that makes customers may still make it. */
export function hasAppearedOnly({ name, email, subjects, metadata, archivedAt }: OwnCustomer): boolean {
  return name === null && email === null && subjects.length === 0 && Object.keys(metadata).length === 0 && archivedAt === null
}

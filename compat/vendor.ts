import type { IncomingHttpHeaders } from 'node:http'
import type { CompatRecordStore } from '../adapters/database/compat/compat-record-store.ts'
import type { Clock } from '../base/clock.ts'
import { SCOPES } from '../domain/principal.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import type { Problem } from '../schemas/http/problem.ts'
import type { ViewWaits } from '../usage/view-waits.ts'
import type { OwnRoutes } from './own-routes.ts'

/**
 * Another vendor's shape on our own routes. A vendor is a folder of this stage and one line in `vendors.ts`; its routes are below
 * `/compat/<name>`.
 */
export type Vendor = {
  readonly name: string
  /** Whether a request outside `/compat/<name>` is this vendor's, for a client that cannot be given a path. */
  readonly claims?: (headers: IncomingHttpHeaders) => boolean
  /** A refusal as the vendor's SDK reads it; also of what never reached a route, such as a wrong key or an unknown path. */
  readonly refusal: (problem: Problem & { readonly requestId: string; readonly path: string }) => VendorRefusal
  readonly routes: (kit: VendorKit) => (app: HttpApp) => Promise<void>
}

export type VendorRefusal = {
  readonly status: number
  /** Sent as it is: a client may compare the whole header. */
  readonly contentType: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

/** What the routes of a vendor are made of. */
export type VendorKit = {
  readonly own: OwnRoutes
  readonly records: CompatRecordStore
  /** For an answer that waits until what it says is seen by the SDK's next read. */
  readonly waits: ViewWaits
  readonly clock: Pick<Clock, 'now'>
  /** Unique for ever. */
  readonly createId: () => string
}

/** Any secret key of the tenant: the own route that is asked says which scope it needs. A route that asks none names its scope itself. */
export const ANY_KEY = { scope: SCOPES.filter((scope) => scope !== 'public') } as const
/** The same, for a call that the client repeats under one `Idempotency-Key`. */
export const CREATES = { ...ANY_KEY, isIdempotent: true } as const

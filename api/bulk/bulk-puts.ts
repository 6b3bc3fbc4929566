import type { TSchema } from 'typebox'
import type { PutResult } from '../../adapters/database/put-result.ts'
import type { TenantKey } from '../../domain/identity.ts'
import type { Principal, Scope } from '../../domain/principal.ts'
import { isRefusal, type Outcome, type Refusal, RefusalError, refuse, refuseField } from '../../domain/refusal.ts'
import { BULK_BOUNDS } from './bulk-bounds.ts'
import { type BulkLine, readBulkLine } from './bulk-line.ts'
import type { Line } from './read-lines.ts'

export type PutOutcome = Outcome<PutResult<unknown>['result']>

/** One collection whose records can be put in bulk. */
export type BulkCollection = {
  readonly scope: Scope
  readonly keySchema: TSchema
  readonly bodySchema: TSchema
  /** Puts each for itself, in order. At most one batch; a collection that is not gathered gets one at a time. */
  put(tenant: TenantKey, lines: readonly BulkLine[]): Promise<readonly PutOutcome[]>
}

/** Gathered ones are put together, in this order; each other put waits for all before it, as it may be what later lines name. */
export type BulkCollections = {
  readonly gathered: ReadonlyMap<string, BulkCollection>
  readonly alone: ReadonlyMap<string, BulkCollection>
}

export type BulkVerdict = { readonly line: number; readonly put?: string; readonly outcome: PutOutcome }

/** Takes lines and puts them in batches; verdicts come in the order of the lines. */
export type BulkPuts = {
  add(line: Line): Promise<void>
  /** A blank line: it has no verdict, and the next ones keep their numbers. */
  skip(): void
  /** Puts what is gathered. */
  finish(): Promise<void>
  readonly verdicts: readonly BulkVerdict[]
}

export type CheckBody = (schema: TSchema, value: unknown) => Refusal | null

export function createBulkPuts({ gathered, alone }: BulkCollections, principal: Principal, checkBody: CheckBody): BulkPuts {
  const verdicts: BulkVerdict[] = []
  let lines = 0
  const batches = new Map([...gathered.keys()].map((collection) => [collection, [] as Gathered[]]))
  /** Customers that the gathered lines name: a later line that says who one is waits for them. */
  let named = new Set<string>()

  async function flush(): Promise<void> {
    for (const [collection, batch] of batches) {
      if (batch.length === 0) continue
      const outcomes = await gathered.get(collection)?.put(
        principal.tenant,
        batch.map(({ line }) => line),
      )
      for (const [index, { at }] of batch.entries()) judge(at, outcomes?.[index])
      batches.set(collection, [])
    }
    named = new Set()
  }

  function judge(at: number, outcome: PutOutcome | undefined): void {
    const verdict = verdicts[at]
    if (verdict !== undefined && outcome !== undefined) verdicts[at] = { ...verdict, outcome }
  }

  function check(line: BulkLine): Outcome<BulkCollection> {
    const collection = gathered.get(line.collection) ?? alone.get(line.collection)
    if (collection === undefined) return refuse('invalid_put', { put: line.collection.slice(0, 100) })
    const { scope, keySchema, bodySchema } = collection
    if (!principal.scopes.includes(scope) && !principal.scopes.includes('admin')) {
      return refuse('missing_scope', { scope, has: principal.scopes, wanted: 'route' })
    }
    const wrongKey = checkBody(keySchema, line.key)
    if (wrongKey !== null) return refuseField('put', wrongKey)
    return checkBody(bodySchema, line.body) ?? collection
  }

  return {
    verdicts,
    async add(text) {
      const at = verdicts.length
      const number = ++lines
      const line = readBulkLine(text)
      if (isRefusal(line)) return void verdicts.push({ line: number, outcome: line })
      const put = `${line.collection}/${line.key}`
      const collection = check(line)
      if (isRefusal(collection)) return void verdicts.push({ line: number, put, outcome: collection })
      const subject = customerOf(line)
      const batch = batches.get(line.collection)
      if (batch === undefined || batch.length >= BULK_BOUNDS.batch.most || (line.collection === 'customers' && named.has(subject)))
        await flush()
      // The verdict of a gathered line follows when it is put.
      verdicts.push({ line: number, put, outcome: 'same' })
      if (batch === undefined) return judge(at, (await collection.put(principal.tenant, [line]))[0])
      named.add(subject)
      batches.get(line.collection)?.push({ at, line })
    },
    skip: () => void lines++,
    finish: flush,
  }
}

type Gathered = { readonly at: number; readonly line: BulkLine }

function customerOf({ collection, key, body }: BulkLine): string {
  return collection === 'customers' ? key : String((body as { readonly customer?: unknown }).customer)
}

/** What a put throws as a refusal is its outcome; other errors end the request. */
export async function outcomeOf(work: () => Promise<Outcome<PutResult<unknown>>>): Promise<PutOutcome> {
  try {
    const put = await work()
    return isRefusal(put) ? put : put.result
  } catch (error) {
    if (error instanceof RefusalError) return error.refusal
    throw error
  }
}

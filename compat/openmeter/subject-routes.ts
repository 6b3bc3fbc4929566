import { Type } from 'typebox'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { unlessRefused } from '../own-routes.ts'
import type { VendorKit } from '../vendor.ts'
import { type VendorRecord, vendorRecords } from '../vendor-records.ts'
import { bodyOf, given, MetadataSchema, OptionalText } from './bodies.ts'

/** Subjects, which older integrations know instead of customers: one is a customer of its key, unless a customer lists it. */
export async function subjectRoutes(app: HttpApp, { own, records }: VendorKit): Promise<void> {
  const subjects = vendorRecords<Subject>(records, 'openmeter', 'subject')

  app.post('/api/v1/subjects', { config: MANAGES }, async (request) => {
    const { tenant } = request.principal
    const tollgate = own(request)
    const wanted = bodyOf(request, Type.Array(SubjectSchema, { maxItems: AT_ONCE_MAX }))
    const made = []
    for (const { key, ...subject } of wanted) {
      const known = await unlessRefused(tollgate.customer(key), 'unknown_customer')
      if (known === null) await tollgate.putCustomer(key, { name: subject.displayName ?? key })
      made.push(subjectJson(await subjects.put(tenant, key, given(subject))))
    }
    return made
  })

  app.get('/api/v1/subjects', { config: READS }, async (request) => (await subjects.all(request.principal.tenant)).map(subjectJson))

  app.get<Params>('/api/v1/subjects/:key', { config: READS }, async (request) => {
    const { key } = request.params
    const record = await subjects.get(request.principal.tenant, key)
    if (record !== null) return subjectJson(record)
    const { createdAt, updatedAt, name } = await own(request).customer(key)
    return { id: key, key, ...given({ displayName: name }), createdAt, updatedAt }
  })

  app.delete<Params>('/api/v1/subjects/:key', { config: MANAGES }, async (request, reply) => {
    const { key } = request.params
    if (!(await subjects.delete(request.principal.tenant, key))) throw new RefusalError(refuse('unknown_customer', { customer: key }))
    return reply.code(204).send()
  })
}

/** What is said of a subject is kept here alone, so no route of ours asks for the scope. */
const READS = { scope: 'read' } as const
const MANAGES = { scope: 'manage' } as const

type Params = { Params: { readonly key: string } }
const AT_ONCE_MAX = 1_000
const SubjectSchema = Type.Object({ key: Type.String(), displayName: OptionalText, metadata: MetadataSchema })
type Subject = { readonly displayName?: string | null; readonly metadata?: Readonly<Record<string, unknown>> | null }

function subjectJson({ key, data, createdMs, updatedMs }: VendorRecord<Subject>) {
  return { id: key, key, ...data, createdAt: new Date(createdMs).toISOString(), updatedAt: new Date(updatedMs).toISOString() }
}

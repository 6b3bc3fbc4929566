import { Fault } from '../../base/fault.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { namedInBody } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { fieldsOf, oneOf, optionalText, snakeCase, textOf } from './fields.ts'

/** How long a report waits until it is counted: the SDK's next read shows it. It is durable, so then it is answered anyway. */
const SEEN_WITHIN_MS = 250
const SOURCE = 'kelviq'

/** Usage as quantities of a feature, and as events that meters read. */
export async function reportRoutes(app: HttpApp, { own, waits, clock, createId }: VendorKit): Promise<void> {
  app.post('/report/usage/', { config: ANY_KEY }, async (request) => {
    const fields = fieldsOf(request.body)
    const behaviour = oneOf(fields, 'behaviour', ['SET', 'DELTA'])
    const { value } = fields
    if (typeof value !== 'number') return refuseInput('value', 'value must be a number')
    const report = { customerId: textOf(fields, 'customer_id'), featureId: textOf(fields, 'feature_id'), behaviour, value }
    const resourceId = optionalText(fields, 'resource_id')
    const id = createId()
    const reported = own(request).reportUsage({
      ...{ customer: report.customerId, feature: report.featureId, quantity: value, id },
      behaviour: behaviour === 'SET' ? 'set' : 'delta',
    })
    await namedInBody(reported)
    await untilSeen(waits)
    return {
      ...report,
      ...(resourceId === undefined ? {} : { resourceId }),
      orgId: request.principal.tenant,
      eventName: 'aggregated.usage',
      idempotencyKey: id.replaceAll('-', ''),
      timestamp: timestampOf(clock.now()),
    }
  })

  app.post('/report/event/', { config: ANY_KEY }, async (request) => {
    const fields = fieldsOf(request.body)
    const customerId = textOf(fields, 'customer_id')
    const eventName = textOf(fields, 'event_name')
    const idempotencyKey = textOf(fields, 'idempotency_key')
    const timestamp = textOf(fields, 'timestamp')
    const { properties, resource_id: resourceId } = fields
    await own(request).ingest(
      [
        {
          ...{ id: idempotencyKey, source: SOURCE, type: eventName, customer: customerId, time: instantOf(timestamp) },
          data: snakeCased(properties ?? {}),
        },
      ],
      { waitMs: SEEN_WITHIN_MS },
    )
    return {
      ...{ customerId, eventName, idempotencyKey, timestamp, orgId: request.principal.tenant },
      ...(resourceId === undefined ? {} : { resourceId }),
      ...(properties === undefined ? {} : { properties }),
    }
  })
}

/** The report is durable: what becomes of the wait does not change the answer. */
async function untilSeen(waits: VendorKit['waits']): Promise<void> {
  await waits.counted(SEEN_WITHIN_MS).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error
  })
}

/** `2026-12-01 10:00:00.123456`, UTC. What is no such text is left to the check of events. */
function instantOf(timestamp: string): string {
  return /^\d{4}-\d{2}-\d{2} [\d:.]+$/.test(timestamp) ? `${timestamp.replace(' ', 'T')}Z` : timestamp
}

function timestampOf(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 23).replace('T', ' ')}000`
}

/** The Node SDK renames properties at every depth and the Python SDK none: so both feed the same meters. */
function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [snakeCase(name), snakeCased(item)]))
}

import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { Balance } from '../../schemas/http/balance.ts'
import { jsonNumber } from '../json-number.ts'
import { type OwnOverride, type Tollgate, unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import type { VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { MetadataSchema } from './bodies.ts'
import { intervalJson, resetOf, resetOfPeriod } from './intervals.ts'

/** What OpenMeter knows of an entitlement beside our override. */
export type Described = {
  readonly type: 'metered' | 'boolean' | 'static'
  readonly priority: number
  readonly metadata?: Readonly<Record<string, unknown>> | null
}

export const EntitlementInputSchema = Type.Object({
  type: Type.Enum(['metered', 'boolean', 'static']),
  featureKey: Type.Optional(Type.String()),
  featureId: Type.Optional(Type.String()),
  usagePeriod: Type.Optional(Type.Object({ interval: Type.String(), anchor: Type.Optional(Type.String()) })),
  issueAfterReset: Type.Optional(Type.Number()),
  issueAfterResetPriority: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
  issue: Type.Optional(Type.Object({ amount: Type.Number(), priority: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })) })),
  isSoftLimit: Type.Optional(Type.Boolean()),
  config: Type.Optional(Type.String()),
  metadata: MetadataSchema,
})
export type EntitlementInput = Static<typeof EntitlementInputSchema>

/** `customer~feature`: a feature's key has no `~`. */
export function entitlementId(customer: string, feature: string): string {
  return `${customer}~${feature}`
}

/** A feature by its key, or by the id of the customer's entitlement to it. */
export function featureKeyOf(customer: string, featureOrEntitlement: string): string {
  const start = `${customer}~`
  return featureOrEntitlement.startsWith(start) ? featureOrEntitlement.slice(start.length) : featureOrEntitlement
}

export function describedEntitlements({ records }: VendorKit) {
  return vendorRecords<Described>(records, 'openmeter', 'entitlement')
}

/** The terms of our override. */
export function termsOf(input: EntitlementInput): Parameters<Tollgate['putOverride']>[2] {
  switch (input.type) {
    case 'boolean':
      return { value: true }
    case 'static':
      return { value: parsedConfig(input.config) }
    case 'metered': {
      const interval = input.usagePeriod?.interval ?? refuseInput('usagePeriod', 'usagePeriod is missing', 'missing')
      return {
        // Without units of its own grants fill it.
        limit: input.issue?.amount ?? input.issueAfterReset ?? 0,
        limitType: input.isSoftLimit === true ? 'soft' : 'hard',
        reset: resetOf('usagePeriod.interval', interval),
      }
    }
  }
}

function parsedConfig(config: string | undefined): unknown {
  try {
    return JSON.parse(config ?? '')
  } catch (error) {
    if (error instanceof SyntaxError) return refuseInput('config', 'config must be a text of JSON')
    throw error
  }
}

export function describedOf({ type, issue, issueAfterResetPriority, metadata }: EntitlementInput): Described {
  return { type, priority: issue?.priority ?? issueAfterResetPriority ?? PRIORITY_DEFAULT, ...(metadata === undefined ? {} : { metadata }) }
}

export const PRIORITY_DEFAULT = 1

/** The balance of a feature that the customer is entitled to; null when it is not, also where there is no such feature. */
export async function balanceOf(tollgate: Tollgate, customer: string, feature: string): Promise<Balance | null> {
  const balance = await unlessRefused(tollgate.balance(customer, feature), 'unknown_feature')
  if (balance === null || (balance.type === 'metered' && balance.sources === undefined)) return null
  return balance.type === 'boolean' || balance.hasAccess || balance.type === 'metered' ? balance : null
}

export async function knownBalance(tollgate: Tollgate, customer: string, feature: string): Promise<Balance> {
  const balance = await balanceOf(tollgate, customer, feature)
  if (balance === null) throw new RefusalError(refuse('unknown_entitlement', { customer, feature }))
  return balance
}

/** One entitlement as OpenMeter shows it, of a plan or of its own. */
export async function entitlementJson(kit: VendorKit, request: FastifyRequest, customer: string, balance: Balance) {
  const { feature } = balance
  const tollgate = kit.own(request)
  const override = await unlessRefused(tollgate.override(customer, feature), 'unknown_entitlement')
  const record = await describedEntitlements(kit).get(request.principal.tenant, entitlementId(customer, feature))
  const since = override?.since ?? balance.period?.start ?? (await tollgate.feature(feature)).createdAt
  const common = {
    ...{ id: entitlementId(customer, feature), featureKey: feature, featureId: feature, customerId: customer, customerKey: customer },
    ...{ activeFrom: since, createdAt: since, updatedAt: since },
    ...(record?.data.metadata == null ? {} : { metadata: record.data.metadata }),
  }
  if (balance.type === 'metered') return { ...common, type: 'metered', ...meteredJson(balance, override, since, record?.data.priority) }
  if (isBoolean(balance, record?.data)) return { ...common, type: 'boolean' }
  return { ...common, type: 'static', config: JSON.stringify(balance.value) }
}

/** A configuration that is `true` is a boolean entitlement, unless it was made as a static one. */
export function isBoolean({ type, value }: Balance, described: Described | undefined): boolean {
  return type === 'boolean' || (described?.type ?? (value === true ? 'boolean' : 'static')) === 'boolean'
}

function meteredJson({ period, limit, limitType }: Balance, override: OwnOverride | null, since: string, priority = PRIORITY_DEFAULT) {
  const amount = override === null ? limit : (override.limit ?? null)
  const current = { from: period?.start ?? since, to: period?.end ?? NEVER }
  const interval = intervalJson(override?.reset ?? resetOfPeriod(period))
  return {
    isSoftLimit: limitType !== 'hard',
    isUnlimited: limit === null,
    ...(amount === null ? {} : { issueAfterReset: jsonNumber(amount), issueAfterResetPriority: priority }),
    preserveOverageAtReset: false,
    usagePeriod: { ...(interval ?? { interval: 'YEAR', intervalISO: 'P1000Y' }), anchor: current.from },
    currentUsagePeriod: current,
    ...{ measureUsageFrom: since, lastReset: current.from },
  }
}

/** The end of a period that never ends. */
const NEVER = '9999-12-31T00:00:00Z'

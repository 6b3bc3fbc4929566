import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { Balance } from '../../schemas/http/balance.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { AnsweredProblem } from '../../schemas/http/problem.ts'
import { jsonNumber } from '../json-number.ts'
import { unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { balanceOf, type Described, describedEntitlements, entitlementId, featureKeyOf, isBoolean } from './entitlements.ts'

/** May they, and how much is left: the calls that a request waits for. */
export async function valueRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own } = kit
  const described = describedEntitlements(kit)
  /** Only a configuration needs a look at how it was made. */
  const answerOf = async (tenant: Parameters<typeof described.get>[0], customer: string, balance: Balance | null) => {
    if (balance?.type !== 'config') return valueJson(balance, undefined)
    return valueJson(balance, (await described.get(tenant, entitlementId(customer, balance.feature)))?.data)
  }

  for (const version of ['v1', 'v2']) {
    app.get<Params>(`/api/${version}/customers/:id/entitlements/:feature/value`, { config: ANY_KEY }, async (request) => {
      const { id, feature } = request.params
      const balance = await balanceOf(own(request), id, featureKeyOf(id, feature))
      return await answerOf(request.principal.tenant, id, balance)
    })
  }

  app.get<Params>('/api/v1/subjects/:id/entitlements/:feature/value', { config: ANY_KEY }, async (request) => {
    const { id, feature } = request.params
    const balance = await unlessRefused(balanceOf(own(request), id, featureKeyOf(id, feature)), 'unknown_customer')
    if (balance !== null) return await answerOf(request.principal.tenant, id, balance)
    if ((await unlessRefused(own(request).customer(id), 'unknown_customer')) === null) throw nobodys(id)
    throw new RefusalError(refuse('unknown_entitlement', { customer: id, feature }))
  })

  app.get<{ Params: { readonly id: string } }>('/api/v1/customers/:id/access', { config: ANY_KEY }, async (request) => {
    const { id } = request.params
    const { tenant } = request.principal
    const { data } = await own(request).balances(id)
    const records = await described.getAll(
      tenant,
      data.filter(({ type }) => type === 'config').map(({ feature }) => entitlementId(id, feature)),
    )
    const values = data.map((balance) => [balance.feature, valueJson(balance, records.get(entitlementId(id, balance.feature))?.data)])
    return { entitlements: Object.fromEntries(values) }
  })
}

type Params = { Params: { readonly id: string; readonly feature: string } }

/** The oldest routes tell a subject that no customer has from one without the entitlement. */
function nobodys(subject: string): AnsweredProblem {
  const detail = `subject ${subject} belongs to no customer`
  return new AnsweredProblem({
    type: 'urn:tollgate:problem:unknown_customer',
    title: 'Unknown customer',
    status: 412,
    detail,
    code: 'unknown_customer',
  })
}

/** What is held is not there to spend. Without a limit the balance is the largest number that a client reads exactly. */
function valueJson(balance: Balance | null, described: Described | undefined) {
  if (balance === null) return { hasAccess: false }
  const { hasAccess, type, limit, remaining, used, overage, value } = balance
  if (type !== 'metered') return isBoolean(balance, described) ? { hasAccess } : { hasAccess, config: JSON.stringify(value) }
  return {
    hasAccess,
    balance: remaining === null ? Number.MAX_SAFE_INTEGER : jsonNumber(remaining),
    usage: jsonNumber(used),
    overage: jsonNumber(overage),
    totalAvailableGrantAmount: limit === null ? Number.MAX_SAFE_INTEGER : jsonNumber(limit),
  }
}

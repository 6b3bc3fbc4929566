import type { OwnCustomer, OwnSubscription, Tollgate } from './own-routes.ts'

/** Known by its usage alone: a vendor's call that makes customers may still make it. */
export function hasAppearedOnly({ name, email, subjects, metadata, archivedAt }: OwnCustomer): boolean {
  return name === null && email === null && subjects.length === 0 && Object.keys(metadata).length === 0 && archivedAt === null
}

/** The key of a customer that is named by one of its subjects, too. Rejects with `unknown_customer`. */
export async function customerKey(tollgate: Tollgate, name: string): Promise<string> {
  return (await tollgate.customer(name)).key
}

/** The first that runs now; null when there is none. */
export async function runningSubscription(tollgate: Tollgate, customer: string): Promise<OwnSubscription | null> {
  const { data } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
  return data.find(({ status }) => status === 'active' || status === 'canceled') ?? null
}

/** The longest page: who has more of them has one that runs. */
export const SUBSCRIPTIONS_MAX = 1_000

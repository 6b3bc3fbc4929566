import type { Partition, TenantKey } from '../../../domain/identity.ts'
import type { CustomerRef } from '../counters.ts'

/**
 * Names of the keys. All keys of a partition share its hash tag and so are on one node of a cluster, in reach of one script. The
 * entry of a reservation's id is the exception: a caller who asks for an id does not know its customer, so the entry stands
 * alone, wherever its name falls.
 */
export type RedisKeys = {
  partition(partition: Partition): string
  customers(partition: Partition): string
  /** Customers that wait to be tracked, and how many of them each tenant has. */
  requests(partition: Partition): readonly [string, string]
  settling(partition: Partition): string
  /** Counters and unique values. */
  counters(customer: CustomerRef): readonly [string, string]
  /** Rows, expiring, settling, forgetting. */
  holds(customer: CustomerRef): readonly [string, string, string, string]
  /** A tenant's holds in state `held`, by when they expire, for its bound. */
  heldOfTenant(customer: Pick<CustomerRef, 'tenant' | 'partition'>): string
  id(tenant: TenantKey, id: string): string
  /** The id of the database whose customers are counted here. */
  readonly installation: string
  /** Channel on which a request for tracking is announced. */
  readonly channel: string
}

export function createRedisKeys(prefix: string): RedisKeys {
  const tag = (partition: Partition) => `${prefix}:{p${partition}}`
  return {
    partition: tag,
    customers: (partition) => `${tag(partition)}:customers`,
    requests: (partition) => [`${tag(partition)}:requests`, `${tag(partition)}:requests-of-tenants`],
    settling: (partition) => `${tag(partition)}:settling`,
    counters(customer) {
      const [base, name] = [tag(customer.partition), nameOfCustomer(customer)]
      return [`${base}:counters ${name}`, `${base}:values ${name}`]
    },
    holds(customer) {
      const [base, name] = [tag(customer.partition), nameOfCustomer(customer)]
      return [`${base}:holds ${name}`, `${base}:holds-expiring ${name}`, `${base}:holds-settling ${name}`, `${base}:holds-ended ${name}`]
    },
    heldOfTenant: ({ tenant, partition }) => `${tag(partition)}:held ${tenant}`,
    id: (tenant, id) => `${prefix}:hold ${tenant} ${id}`,
    installation: `${prefix}:installation`,
    channel: `${prefix}:tracking`,
  }
}

/** A tenant's key has no space, so the first space separates the two. */
export const nameOfCustomer = ({ tenant, customer }: Pick<CustomerRef, 'tenant' | 'customer'>): string => `${tenant} ${customer}`

export function customerOfName(name: string, partition: Partition): CustomerRef {
  const at = name.indexOf(' ')
  return { tenant: name.slice(0, at), customer: name.slice(at + 1), partition } as CustomerRef
}

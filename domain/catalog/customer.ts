import type { CustomerKey } from '../identity.ts'

export type Customer = {
  readonly key: CustomerKey
  readonly name: string | null
  readonly email: string | null
  readonly subjects: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
}

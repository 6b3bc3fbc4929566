import { refuse } from '../../../domain/refusal.ts'
import type { PaymentProvider } from '../payments.ts'

/** Money comes by transfer: a person records it at its document, and gives it back by hand. */
export function createManualPayments(): PaymentProvider {
  return {
    name: 'manual',
    leastAmount: () => null,
    prepare: async () => ({ kind: 'transfer' }),
    giveBack: async () => undefined,
    readNotices: async () => refuse('payments_off', { provider: 'manual', wanted: 'take notices' }),
  }
}

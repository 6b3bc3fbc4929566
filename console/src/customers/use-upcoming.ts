import { useQuery } from '@tanstack/react-query'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'

/** What the period under way comes to by now; it also says in which currency the customer is billed. */
export function useUpcoming(subscription: Shape<'Subscription'> | null) {
  const id = subscription?.id ?? ''
  return useQuery({
    queryKey: ['upcoming', id],
    enabled: subscription !== null,
    queryFn: () => answered(api.GET('/v1/subscriptions/{id}/upcoming-invoice', { params: { path: { id } } })),
    ...every(LIST_MS),
  })
}

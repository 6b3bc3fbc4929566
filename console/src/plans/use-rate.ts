import { useQuery } from '@tanstack/react-query'
import { answered, api, type Shape } from '../api/client.ts'

type PriceInput = Shape<'RateInput'>['price']

/** What a price comes to for a quantity, by the rating engine; the last answer stays while the next one is on its way. */
export function useRate(price: PriceInput | null, quantity: string, currency: string) {
  return useQuery({
    queryKey: ['rate', price, quantity, currency],
    enabled: price !== null && /^\d+(\.\d+)?$/.test(quantity),
    queryFn: () => answered(api.POST('/v1/rate', { body: { price: price as PriceInput, quantity, currency } })),
    placeholderData: (previous) => previous,
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
}

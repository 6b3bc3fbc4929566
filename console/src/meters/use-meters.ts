import { useQuery } from '@tanstack/react-query'
import { answered, api } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'

/** All meters; a tenant has tens of them. */
export function useMeters() {
  return useQuery({
    queryKey: ['meters'],
    queryFn: () => answered(api.GET('/v1/meters', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
}

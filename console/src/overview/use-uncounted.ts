import { useQuery } from '@tanstack/react-query'
import { answered, api } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'

const DAY_MS = 86_400_000

/** What counted for nothing in the last day, by type, meter and reason. */
export function useUncounted() {
  return useQuery({
    queryKey: ['uncounted', '24h'],
    queryFn: () => answered(api.GET('/v1/events/uncounted', { params: { query: { from: new Date(Date.now() - DAY_MS).toISOString() } } })),
    ...every(LIST_MS),
  })
}

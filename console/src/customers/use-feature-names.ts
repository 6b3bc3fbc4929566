import { useQuery } from '@tanstack/react-query'
import { answered, api } from '../api/client.ts'

export function useFeatures() {
  return useQuery({
    queryKey: ['features'],
    queryFn: () => answered(api.GET('/v1/features', { params: { query: { limit: 1000 } } })),
    staleTime: 15_000,
  })
}

/** The name that people read; the key while it is not known. */
export function useFeatureNames(): (key: string) => string {
  const { data } = useFeatures()
  const names = new Map(data?.data.map(({ key, name }) => [key, name]))
  return (key) => names.get(key) ?? key
}

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { own } from '../api/client.ts'

export type Session = {
  readonly id: string
  readonly tenant: string
  readonly scopes: readonly string[]
  readonly key: { readonly id: string; readonly name: string }
  readonly expiresAt: string
  readonly version: string
}

const SESSION = ['session'] as const

/** Null when nobody is signed in; undefined while that is not known. */
export function useSession() {
  return useQuery({
    queryKey: SESSION,
    queryFn: () => own<Session | null>('GET', 'session'),
    staleTime: 60_000,
  })
}

export function useSignIn() {
  const client = useQueryClient()
  return async (key: string) => {
    const session = await own<Session>('POST', 'session', { key })
    client.setQueryData(SESSION, session)
  }
}

export function useSignOut() {
  const client = useQueryClient()
  return async () => {
    await own('DELETE', 'session').catch(() => undefined)
    client.setQueryData(SESSION, null)
    // What was read belongs to whoever was signed in.
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION[0] })
  }
}

/** Whether the signed-in key may do what the scope allows. */
export function useMay(scope: 'read' | 'decide' | 'manage' | 'billing' | 'admin' | 'ingest'): boolean {
  const { data } = useSession()
  return data?.scopes.includes(scope) === true || data?.scopes.includes('admin') === true
}

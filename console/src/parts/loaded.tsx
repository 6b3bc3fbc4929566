import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ProblemView } from './problem-view.tsx'

type LoadedProps<Data> = {
  readonly of: Pick<UseQueryResult<Data>, 'data' | 'error' | 'refetch'>
  /** Pixels that the content will take, so that nothing jumps. */
  readonly height?: number
  readonly children: (data: Data) => ReactNode
}

/** A read and its states: the shape of what comes, what is wrong with a way to ask again, or the data; the last data stays while a newer read fails. */
export function Loaded<Data>({ of: query, height = 120, children }: LoadedProps<Data>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error === null ? null : <ProblemView error={query.error} isStale onRetry={() => void query.refetch()} />}
        {children(query.data)}
      </>
    )
  }
  if (query.error !== null) return <ProblemView error={query.error} onRetry={() => void query.refetch()} />
  return (
    <div className="pad" aria-busy="true">
      <div className="loading" ref={(element) => element?.style.setProperty('--h', `${height}px`)} />
    </div>
  )
}

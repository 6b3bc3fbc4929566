import { TriangleAlert } from 'lucide-react'
import { ProblemError } from '../api/problem.ts'

type ProblemViewProps = { readonly error: unknown; readonly onRetry?: () => void; readonly isStale?: boolean }

/** The server's own words, its code, and the id by which its log names the request. */
export function ProblemView({ error, onRetry, isStale = false }: ProblemViewProps) {
  const problem = error instanceof ProblemError ? error.problem : { code: 'page_error', detail: String(error), status: 0 }
  return (
    <div className="pad">
      <div className="callout callout-bad wrap" role="alert">
        <TriangleAlert className="icon" aria-hidden />
        <div className="grow-1">
          {isStale ? <b>These are the last figures; newer ones could not be read. </b> : null}
          {problem.detail} <code className="xs">{problem.code}</code>
          {'requestId' in problem && problem.requestId !== undefined ? <span className="xs"> · request {problem.requestId}</span> : null}
        </div>
        {onRetry === undefined ? null : (
          <button type="button" className="button button-s" onClick={onRetry}>
            Ask again
          </button>
        )}
      </div>
    </div>
  )
}

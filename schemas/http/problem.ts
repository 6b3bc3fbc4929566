import type { FieldProblem } from './refusals/refusal-row.ts'

/** RFC 9457 problem details, the body of every error answer of the server. A code may have further members of its own. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly errors?: readonly FieldProblem[]
}

/** A route that asks another route of this server passes its refusal on as this error. */
export class AnsweredProblem extends Error {
  readonly problem: Problem
  readonly retryAfterSeconds: number | undefined

  constructor(problem: Problem, retryAfterSeconds?: number) {
    super(problem.detail)
    this.problem = problem
    this.retryAfterSeconds = retryAfterSeconds
  }
}

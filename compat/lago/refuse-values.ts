import { AnsweredProblem, type Problem } from '../../schemas/http/problem.ts'

/** Field to the codes of what is wrong with it; for a batch by its place. */
export type InvalidValues = { readonly error_details: Readonly<Record<string, unknown>> }

/** 422 as Lago says it: `{"code": ["value_already_exist"]}`. */
export function refuseValues(error_details: InvalidValues['error_details']): never {
  const detail = `not valid: ${Object.keys(error_details).join(', ')}`
  const problem: Problem & InvalidValues = {
    ...{ type: 'urn:tollgate:problem:validation_errors', title: 'Validation errors', status: 422, detail, code: 'validation_errors' },
    error_details,
  }
  throw new AnsweredProblem(problem)
}

/** Another status and code, as `405 no_active_subscription`. */
export function refuseAs(status: number, code: string, detail: string): never {
  throw new AnsweredProblem({ type: `urn:tollgate:problem:${code}`, title: code, status, detail, code })
}

/** What the server says is wrong, as it says it. */
export type Problem = {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly requestId?: string
  readonly errors?: readonly { readonly field: string; readonly code: string; readonly detail: string }[]
}

export class ProblemError extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

export function problemOf(body: unknown, response: Pick<Response, 'status' | 'statusText'>): Problem {
  if (typeof body === 'object' && body !== null && 'code' in body && 'detail' in body) return body as Problem
  const detail = `The server answered ${response.status} ${response.statusText} without saying why.`
  return { status: response.status, code: `http_${response.status}`, detail }
}

/** What is wrong with each field, by its name in the API: `charges[0].price.tiers[1].upTo`. */
export function fieldErrors(error: unknown): Readonly<Record<string, string>> {
  if (!(error instanceof ProblemError)) return {}
  return Object.fromEntries((error.problem.errors ?? []).map(({ field, detail }) => [field, detail]))
}

import type { WireAnswer } from './answer-reader.ts'

/** Texts of another tenant, which no answer may contain. */
export type Secrets = readonly string[]

const STACK_TRACE = /^\s*at .+:\d+:\d+\)?$|node:internal|node_modules\/|\.ts:\d+|SQLSTATE|DB::Exception/m

/** What is wrong with an answer, whatever the request was; null when nothing is. */
export function wrongWith({ status, headers, body }: WireAnswer, secrets: Secrets, isHead = false): string | null {
  const leaked = secrets.find((secret) => body.includes(secret) || [...headers.values()].some((value) => value.includes(secret)))
  if (leaked !== undefined) return `it has ${leaked}, which belongs to another tenant`
  if (STACK_TRACE.test(body)) return 'it shows the inside of the server'
  if (status >= 500 && status !== 503) return `status ${status}`
  if (status === 503 && !(Number(headers.get('retry-after')) >= 1)) return '503 without Retry-After'
  if (status < 400) return null
  const contentType = headers.get('content-type') ?? 'none'
  if (!contentType.startsWith('application/problem+json')) return `an error of content type ${contentType}`
  return isHead ? null : wrongWithProblem(status, body)
}

function wrongWithProblem(status: number, body: string): string | null {
  let problem: Record<string, unknown>
  try {
    problem = JSON.parse(body)
  } catch {
    return 'a problem that is not JSON'
  }
  if (problem.status !== status) return `a problem of status ${problem.status} in an answer of ${status}`
  if (typeof problem.code !== 'string' || !/^[a-z][a-z0-9_]*$/.test(problem.code)) return `a problem of code ${problem.code}`
  if (problem.type !== `urn:tollgate:problem:${problem.code}`) return `a problem of type ${problem.type}`
  if (typeof problem.detail !== 'string' || problem.detail.trim() === '') return 'a problem without a detail'
  return null
}

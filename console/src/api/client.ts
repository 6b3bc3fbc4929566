import createClient from 'openapi-fetch'
import { ProblemError, problemOf } from './problem.ts'
import type { components, paths } from './schema.d.ts'

/** The shapes of the contract by their names. */
export type Shape<Name extends keyof components['schemas']> = components['schemas'][Name]

/** Every request goes by the console's door, with the cookie of the session in place of a key. */
export const api = createClient<paths>({ baseUrl: '/console/api', credentials: 'same-origin' })

type Answered<Data> = { readonly data?: Data; readonly error?: unknown; readonly response: Response }

/** The answer, or a ProblemError. */
export async function answered<Data>(asking: Promise<Answered<Data>>): Promise<Data> {
  const answer = await asking.catch((cause: unknown) => {
    throw new ProblemError({ status: 0, code: 'unreachable', detail: `The server cannot be reached: ${String(cause)}` })
  })
  if (!answer.response.ok) throw new ProblemError(problemOf(answer.error, answer.response))
  return answer.data as Data
}

/** A request to a route of the console itself, which is not part of `/v1`. */
export async function own<Data>(method: string, path: string, body?: object): Promise<Data> {
  const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
  const text = body === undefined ? null : JSON.stringify(body)
  const response = await fetch(`/console/api/${path}`, { method, headers, body: text, credentials: 'same-origin' }).catch(
    (cause: unknown) => {
      throw new ProblemError({ status: 0, code: 'unreachable', detail: `The server cannot be reached: ${String(cause)}` })
    },
  )
  const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null)
  if (!response.ok) throw new ProblemError(problemOf(answer, response))
  return answer as Data
}

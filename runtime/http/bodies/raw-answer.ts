import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Refusal } from '../../../domain/refusal.ts'
import { PROBLEM_CONTENT_TYPE, problemOfRefusal } from '../problem.ts'

/** Answers what no route can be asked about, and ends the connection. */
export function endWithProblem(socket: Socket, refusal: Refusal, requestId: string): void {
  const { problem, retryAfterSeconds } = problemOfRefusal(refusal)
  const body = JSON.stringify({ ...problem, requestId })
  const retryAfter = retryAfterSeconds === undefined ? '' : `Retry-After: ${retryAfterSeconds}\r\n`
  socket.write(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: ${PROBLEM_CONTENT_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${retryAfter}X-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`,
  )
  // Ending alone would leave the other half open for as long as the sender likes, and what it holds with it.
  socket.destroySoon()
}

import { createRequire } from 'node:module'
import { KafkaWireError } from '../kafka-wire.ts'

/** The answer of a kafkajs promise; a rejection is translated to our own error. Every kafkajs call goes through here. */
export async function told<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (error) {
    throw wireError(error)
  }
}

export function wireError(error: unknown): KafkaWireError {
  if (error instanceof KafkaWireError) return error
  const root = rootCause(error)
  return new KafkaWireError(root instanceof Error ? root.message : String(root), {
    answer: answerOf(root),
    canRetry: !(root instanceof Error && 'retriable' in root && root.retriable === false) || root.name === 'KafkaJSLockTimeout',
    cause: error,
  })
}

/** The error of a code that a broker answered with. */
export function errorOfCode(code: number): KafkaWireError {
  return wireError(createErrorFromCode(code))
}

/**
 * True when the connection is of no more use. kafkajs keeps one that no longer answers, or that is half closed, and would wait on
 * it again and again.
 */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && (error.name === 'KafkaJSRequestTimeoutError' || error.name === 'KafkaJSConnectionClosedError')
}

function answerOf(root: unknown): string | null {
  if (!(root instanceof Error)) return null
  if ('type' in root && typeof root.type === 'string') return root.type
  return root.name === 'KafkaJSSASLAuthenticationError' ? 'SASL_AUTHENTICATION_FAILED' : null
}

/** kafkajs wraps an error once per level of retry, and the errors of several topics in one. */
function rootCause(error: unknown): unknown {
  let cause = error
  for (let inner = innerError(cause); inner !== undefined; inner = innerError(cause)) cause = inner
  return cause
}

function innerError(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined
  if (error.cause instanceof Error) return error.cause
  return 'errors' in error && Array.isArray(error.errors) && error.errors[0] instanceof Error ? error.errors[0] : undefined
}

const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error') as {
  readonly createErrorFromCode: (code: number) => Error
}

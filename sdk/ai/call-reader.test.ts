import { expect, test } from 'vitest'
import { mappedCalls } from '../../domain/model-calls/model-call.ts'
import { aiVectors } from '../../test/support/model-calls/ai-vectors.ts'
import { createCallReader } from './call-reader.ts'

type Stream = {
  readonly surface: string
  readonly chunks: readonly Record<string, unknown>[]
  readonly end: 'done' | 'cut' | 'aborted'
  readonly context?: { readonly promptChars?: number }
  readonly response?: Record<string, unknown>
}

/** The reader tells how a stream ended, the server's mapping what that means. */
test.each(aiVectors('stream'))('%s', (_id, { input, expected, why }) => {
  const { surface, chunks, end, context = {}, response = {} } = input as unknown as Stream
  const reader = createCallReader(surface, response)
  for (const chunk of chunks) reader.chunk(chunk)
  const told = reader.end(end, context.promptChars)
  const events = told === null ? [] : (mappedCalls(told) ?? [])
  expect(told?.status ?? (end === 'aborted' ? 'aborted' : 'interrupted'), why).toBe(expected.status)
  expect(events.map(usageOf), why).toEqual(expected.events)
})

function usageOf({ operation: _operation, status: _status, response_id: _id, response_model: _model, ...usage }: Record<string, unknown>) {
  return usage
}

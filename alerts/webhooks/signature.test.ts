import { expect, test } from 'vitest'
import { casesOf } from '../../test/support/billing/billing-vectors.ts'
import { webhookSignature } from './signature.ts'

type Input = {
  readonly secret: string
  readonly previousSecret?: string
  readonly webhookId: string
  readonly timestamp: number
  readonly body: string
}

test.each(casesOf<Input, { signature: string }>('webhook'))('$id', ({ input, expected }) => {
  const secrets = input.previousSecret === undefined ? [input.secret] : [input.secret, input.previousSecret]
  expect(webhookSignature(secrets, input.webhookId, input.timestamp, input.body)).toBe(expected.signature)
})

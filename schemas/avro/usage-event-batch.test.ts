import { readFileSync } from 'node:fs'
import avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import type { UsageEvent, UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { inLongRun } from '../../test/support/long-run.ts'
import { usageEventBatches } from '../../test/support/usage-event-batches.ts'
import { schemaFingerprint } from './schema-fingerprint.ts'
import { createSingleObjectCodec } from './single-object-codec.ts'
import { decodeUsageEventBatch, encodeUsageEventBatch } from './usage-event-batch.ts'

const readV1 = () => JSON.parse(readFileSync(new URL('./usage-event-batch.v1.avsc', import.meta.url), 'utf8'))

const event = (more: Partial<UsageEvent> = {}): UsageEvent => ({
  id: 'e-1',
  source: 'default',
  type: 'llm.request',
  customer: 'acme' as CustomerKey,
  subject: null,
  occurredAtMs: 1_700_000_000_123 as InstantMs,
  data: '{"tokens":12}',
  attributes: null,
  ...more,
})
const batchOf = (...events: UsageEvent[]): UsageEventBatch => ({ tenant: 'default' as TenantKey, events })

const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
  return 'decoded'
}

describe('usage event batch', () => {
  test('comes back as it was, whatever its strings hold', () => {
    fc.assert(
      fc.property(usageEventBatches({ eventsMax: 20, textMax: 80 }), (batch) => {
        expect(decodeUsageEventBatch(encodeUsageEventBatch(batch))).toEqual(batch)
      }),
    )
  })

  test('grows past its first buffer, and gives each record bytes of its own', () => {
    const large = batchOf(
      ...Array.from({ length: 1000 }, (_, n) => event({ id: `e-${n}`, data: JSON.stringify({ text: 'x'.repeat(800) }) })),
    )
    const first = encodeUsageEventBatch(large)
    encodeUsageEventBatch(batchOf(event()))
    expect(first.byteLength).toBe(first.buffer.byteLength)
    expect(decodeUsageEventBatch(first)).toEqual(large)
  })

  // Another fingerprint would make every record already in a log unreadable.
  test('begins with the single-object marker and the fingerprint of v1', () => {
    expect(
      Buffer.from(encodeUsageEventBatch(batchOf(event())))
        .subarray(0, 10)
        .toString('hex'),
    ).toBe('c301d31f0d6c36616620')
  })

  // Vectors from the Avro project's schema-tests.txt.
  test.each([
    { schema: 'null', fingerprint: 0x63dd24e7cc258f8an },
    { schema: 'int', fingerprint: 0x7275d51a3f395c8fn },
    { schema: 'string', fingerprint: 0x8f014872634503c7n },
  ])('fingerprint of $schema is CRC-64-AVRO', ({ schema, fingerprint }) => {
    expect(schemaFingerprint(avro.Type.forSchema(schema as avro.Schema))).toBe(fingerprint)
  })

  test('a reader with an added field reads what v1 wrote', () => {
    const v2 = readV1()
    v2.fields[1].type.items.fields.push({ name: 'region', type: 'string', default: 'unknown' })
    const reader = createSingleObjectCodec<UsageEventBatch>({ current: v2, former: [readV1()] })
    const written = encodeUsageEventBatch(batchOf(event(), event({ id: 'e-2', subject: 'seat-1' })))
    expect(reader.decode(written).events).toEqual([
      { ...event(), region: 'unknown' },
      { ...event({ id: 'e-2', subject: 'seat-1' }), region: 'unknown' },
    ])
    expect(reader.decode(reader.encode(reader.decode(written)))).toEqual(reader.decode(written))
  })

  test('a schema it does not know is a fault, not a guess', () => {
    const v2 = readV1()
    v2.fields[1].type.items.fields.push({ name: 'region', type: 'string', default: 'unknown' })
    const written = createSingleObjectCodec<UsageEventBatch>({ current: v2 }).encode({
      tenant: 'default' as TenantKey,
      events: [{ ...event(), region: 'eu' } as UsageEvent],
    })
    expect(codeOf(() => decodeUsageEventBatch(written))).toBe('record_undecodable')
  })

  test('bytes cut short anywhere are a fault', () => {
    const whole = encodeUsageEventBatch(batchOf(event(), event({ id: 'e-2' })))
    for (let length = 0; length < whole.length; length++) {
      expect(
        codeOf(() => decodeUsageEventBatch(whole.subarray(0, length))),
        `${length} bytes`,
      ).toBe('record_undecodable')
    }
    expect(codeOf(() => decodeUsageEventBatch(new Uint8Array([...whole, 0])))).toBe('record_undecodable')
  })

  test('damaged bytes end in a fault or a batch of bounded size, soon', () => {
    const whole = encodeUsageEventBatch(batchOf(event(), event({ id: 'e-2', subject: 'seat' }), event({ id: 'e-3' })))
    fc.assert(
      fc.property(fc.integer({ min: 10, max: whole.length - 1 }), fc.uint8Array({ minLength: 1, maxLength: 12 }), (at, noise) => {
        const damaged = Uint8Array.from(whole)
        damaged.set(noise.subarray(0, whole.length - at), at)
        expect(['record_undecodable', 'decoded']).toContain(codeOf(() => decodeUsageEventBatch(damaged)))
      }),
      { numRuns: inLongRun(2000, 400) },
    )
    const hugeCount = Uint8Array.from([...whole.subarray(0, 18), 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f])
    expect(codeOf(() => decodeUsageEventBatch(hugeCount))).toBe('record_undecodable')
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CustomerKey, InstantMs } from '../domain/identity.ts'
import { isRefusal } from '../domain/refusal.ts'
import { refusalDetail } from '../schemas/http/refusal-answer.ts'
import { type ParseContext, parseUsageEvent } from './usage-event-parsing.ts'

const RECEIVED = Date.UTC(2026, 6, 1, 12)
const context: ParseContext = {
  receivedAtMs: RECEIVED as InstantMs,
  earliestMs: (RECEIVED - 35 * 86_400_000) as InstantMs,
  latestMs: (RECEIVED + 3_600_000) as InstantMs,
  clockAheadMs: 0,
  customerOf: (name) => (name === 'seat 7' ? 'acme' : name) as CustomerKey,
}
const event = (more: Record<string, unknown> = {}) => ({ id: 'e-1', type: 'llm.request', customer: 'acme', ...more })
/** As it comes over the wire, where `__proto__` is a key like others and a number may be anything. */
const parseText = (text: string) => parseUsageEvent(JSON.parse(text), context)
const deep = (levels: number): unknown => (levels === 0 ? 1 : { deeper: deep(levels - 1) })

describe('parseUsageEvent', () => {
  test('fills in what may be left out', () => {
    expect(parseUsageEvent(event(), context)).toEqual({
      id: 'e-1',
      source: 'default',
      type: 'llm.request',
      customer: 'acme',
      subject: null,
      occurredAtMs: RECEIVED,
      data: '{}',
      attributes: null,
    })
  })

  test.each([
    { given: { subject: 'seat 7', customer: undefined }, kept: { customer: 'acme', subject: 'seat 7' } },
    { given: { subject: 'seat 7', customer: null }, kept: { customer: 'acme', subject: 'seat 7' } },
    { given: { customer: 'seat 7' }, kept: { customer: 'acme', subject: 'seat 7' } },
    { given: { customer: 'auth0|5f7c' }, kept: { customer: 'auth0|5f7c', subject: null } },
    { given: { subject: 'nobody has this', customer: undefined }, kept: { customer: 'nobody has this', subject: null } },
    { given: { subject: 'globex', customer: undefined }, kept: { customer: 'globex', subject: null } },
    { given: { subject: 'acme' }, kept: { customer: 'acme', subject: null } },
    { given: { time: '2026-07-01T13:00:00.99999+01:00' }, kept: { occurredAtMs: RECEIVED + 999 } },
    { given: { time: '2026-05-27T12:00:00Z' }, kept: { occurredAtMs: RECEIVED - 35 * 86_400_000 } },
    { given: { time: '2026-07-01T13:00:00Z' }, kept: { occurredAtMs: RECEIVED + 3_600_000 } },
    {
      given: { specversion: '1.0', datacontenttype: 'application/json', trace: { id: 7 } },
      kept: { attributes: '{"datacontenttype":"application/json","trace":{"id":7}}' },
    },
    {
      given: { data: { tokens: 9007199254740991, text: '💡 \\ud800', nested: [{ a: null }] } },
      kept: { data: '{"tokens":9007199254740991,"text":"💡 \\\\ud800","nested":[{"a":null}]}' },
    },
    {
      given: { id: 'i'.repeat(256), type: 't'.repeat(128), source: 's'.repeat(256), customer: 'c'.repeat(128) },
      kept: { id: 'i'.repeat(256), customer: 'c'.repeat(128) },
    },
  ])('keeps $given', ({ given, kept }) => {
    expect(parseUsageEvent(event(given), context)).toMatchObject(kept)
  })

  test.each([
    { given: { id: undefined }, code: 'missing_id' },
    { given: { id: '' }, code: 'missing_id' },
    { given: { id: 7 }, code: 'invalid_id' },
    { given: { type: 'tollgate.usage' }, code: 'reserved_type' },
    { given: { type: 'tollgate.' }, code: 'reserved_type' },
    { given: { id: 'x'.repeat(257) }, code: 'id_too_long' },
    { given: { id: 'a\ud800' }, code: 'lone_surrogate' },
    { given: { type: undefined }, code: 'missing_type' },
    { given: { type: 't'.repeat(129) }, code: 'type_too_long' },
    { given: { source: '' }, code: 'invalid_source' },
    { given: { source: 'tollgate' }, code: 'reserved_source' },
    { given: { source: 's'.repeat(257) }, code: 'source_too_long' },
    { given: { customer: undefined }, code: 'missing_subject' },
    { given: { customer: undefined, subject: '' }, code: 'missing_subject' },
    { given: { customer: undefined, subject: 's'.repeat(257) }, code: 'subject_too_long' },
    { given: { customer: undefined, subject: '..' }, code: 'invalid_subject' },
    { given: { customer: undefined, subject: ' seat' }, code: 'invalid_subject' },
    { given: { customer: undefined, subject: ['acme'] }, code: 'invalid_subject' },
    { given: { customer: 'c'.repeat(256) }, code: 'invalid_customer' },
    { given: { customer: 'a\n' }, code: 'invalid_customer' },
    { given: { customer: '' }, code: 'invalid_customer' },
    { given: { subject: 'globex' }, code: 'subject_and_customer' },
    { given: { specversion: '0.3' }, code: 'unsupported_specversion' },
    { given: { data: [] }, code: 'invalid_data' },
    { given: { data: 'tokens' }, code: 'invalid_data' },
    { given: { data_base64: 'bm90IGpzb24=' }, code: 'invalid_data' },
    { given: { data_base64: 'WzFd' }, code: 'invalid_data' },
    { given: { data_base64: 'e30' }, code: 'invalid_data' },
    { given: { data_base64: '/w==' }, code: 'invalid_data' },
    { given: { data_base64: 7 }, code: 'invalid_data' },
    { given: { data: {}, data_base64: 'e30=' }, code: 'invalid_data' },
    { given: { data: { text: 'x'.repeat(65_600) } }, code: 'data_too_large' },
    { given: { data: { text: 'é'.repeat(32_800) } }, code: 'data_too_large' },
    { given: { data: { text: 'a\udc00' } }, code: 'lone_surrogate' },
    { given: { data: { 'k\ud800': 1 } }, code: 'lone_surrogate' },
    { given: { data: { text: '\\\ud800' } }, code: 'lone_surrogate' },
    { given: { data: deep(40) }, code: 'too_deep' },
    { given: { data: { tokens: 9007199254740992 } }, code: 'number_out_of_range' },
    { given: { data: { list: [1, { tokens: -9007199254740992 }] } }, code: 'number_out_of_range' },
    { given: { note: 'x'.repeat(20_000) }, code: 'attributes_too_large' },
    { given: { note: 'a\ud800' }, code: 'lone_surrogate' },
    { given: { time: '2026-07-01' }, code: 'invalid_time' },
    { given: { time: 'soon' }, code: 'invalid_time' },
    { given: { time: 1_782_000_000 }, code: 'invalid_time' },
    { given: { time: '2026-05-27T11:59:59.999Z' }, code: 'event_too_old' },
    { given: { time: '2026-07-01T13:00:00.001Z' }, code: 'event_too_far_ahead' },
  ])('what cannot be kept is refused as $code: $given', ({ given, code }) => {
    const outcome = parseUsageEvent(event(given), context)
    expect(outcome).toMatchObject({ kind: 'refusal', code })
    if (!isRefusal(outcome)) return
    // What happened, the value in short, and what to do; fit for any JSON client.
    const detail = refusalDetail(outcome)
    expect(detail).toMatch(/\.$|\.\.$|[+-]$/)
    expect(detail.length).toBeLessThan(300)
    expect(detail.isWellFormed()).toBe(true)
  })

  test.each([
    { text: '{"id":"e","type":"t","customer":"c","__proto__":{"admin":true}}', code: 'forbidden_key' },
    { text: '{"id":"e","type":"t","customer":"c","data":{"__proto__":1}}', code: 'forbidden_key' },
    { text: '{"id":"e","type":"t","customer":"c","data":{"a":[{"\\u005f_proto__":1}]}}', code: 'forbidden_key' },
    { text: '{"id":"e","type":"t","customer":"c","data":{"a":1e400}}', code: 'number_out_of_range' },
    { text: '{"id":"e","type":"t","customer":"c","data":{"a":-1e999}}', code: 'number_out_of_range' },
    { text: '{"id":"e","type":"t","customer":"c","data":{"a":12345678901234567890}}', code: 'number_out_of_range' },
    { text: '{"id":"e","type":"t","customer":"c","data":{"a":"\\ud83d"}}', code: 'lone_surrogate' },
    { text: '[]', code: 'invalid_event' },
    { text: 'null', code: 'invalid_event' },
    { text: '"event"', code: 'invalid_event' },
  ])('$code: $text', ({ text, code }) => {
    expect(parseText(text)).toMatchObject({ kind: 'refusal', code })
  })

  test('an exact number sent as a string comes through, digit by digit', () => {
    expect(parseUsageEvent(event({ data: { tokens: '12345678901234567890.123456789' } }), context)).toMatchObject({
      data: '{"tokens":"12345678901234567890.123456789"}',
    })
  })

  test('never throws, and what it accepts can be parsed again', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.record({ id: fc.jsonValue(), type: fc.jsonValue(), customer: fc.jsonValue(), data: fc.jsonValue(), time: fc.jsonValue() }),
        ),
        (value) => {
          const outcome = parseUsageEvent(value, context)
          if (!isRefusal(outcome)) JSON.parse(outcome.data)
        },
      ),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3, noUnicodeString: false })), (data) => {
        const outcome = parseUsageEvent(event({ data }), context)
        if (!isRefusal(outcome)) expect(JSON.parse(outcome.data)).toEqual(JSON.parse(JSON.stringify(data)))
      }),
    )
  })
})

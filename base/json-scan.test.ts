import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createJsonScan, type JsonScanDefect } from './json-scan.ts'

const UNBOUNDED = { depthMax: 1_000, valuesMax: 1e9 }

/** Scans in pieces of `bytesAtOnce` bytes, as a network may cut a text. */
function scanned(text: string, { bytesAtOnce = 1e9, limits = UNBOUNDED } = {}): { defect: JsonScanDefect | undefined; ends: number[] } {
  const bytes = Buffer.from(text)
  const scan = createJsonScan(limits)
  const ends: number[] = []
  for (let from = 0; from < bytes.length; from += bytesAtOnce) {
    const defect = scan.take(bytes.subarray(from, from + bytesAtOnce), (at) => ends.push(from + at))
    if (defect !== undefined) return { defect, ends }
  }
  return { defect: scan.end(), ends }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const SAMPLES = [
  ...['', ' ', '0', '-0', '-', '00', '-01', '10', '1.', '.5', '1.5', '1.5.5', '1e5', '1E+5', '1e-', '1e', '+1', '0e0', '1e5.2', '0x1'],
  ...['true', 'tru', 'trues', 'True', 'nul', 'null ', 'false,', 'nulL', 'NaN', 'Infinity', '-Infinity', 'undefined'],
  ...[
    '""',
    '"',
    '"\\"',
    '"\\""',
    '"\\x"',
    '"\\u12"',
    '"\\u12aF"',
    '"\\u12ag"',
    '"\\ud800"',
    '"\t"',
    '"\u007f"',
    '"é💡"',
    '"\\/\\b\\f\\n\\r\\t"',
  ],
  ...[
    '[]',
    '[ ]',
    '[,]',
    '[1,]',
    '[1 2]',
    '[1,,2]',
    '[',
    ']',
    '[]]',
    '[[]',
    '[}',
    '[1}',
    '[]{}',
    '1 2',
    '[1],',
    '[1]x',
    '\u00a0[1]',
    '\ufeff[1]',
  ],
  ...[
    '{}',
    '{ }',
    '{,}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{a:1}',
    '{"a":1,"a":2}',
    '{"a":[{"b":{}}]}',
    '{]',
    '{"a":1]',
    "{'a':1}",
  ],
  ...['[1]//', '/**/[1]', '[1]\u0000', ' \t\r\n[1]\n', '\u000b1', '[-]', '[1e5]', '{"a":-}', '[true false]', '["a":1]', '[{"a":1},2,"x"]'],
]

describe('a scan takes what JSON.parse takes', () => {
  test.each(SAMPLES)('%j', (text) => {
    for (const bytesAtOnce of [1, 3, 1e9]) expect(scanned(text, { bytesAtOnce }).defect === undefined).toBe(isJson(text))
  })

  test('any JSON, and the same with one byte taken out, put in or changed, cut anywhere', () => {
    const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' })
    const change = fc.record({
      at: fc.nat(),
      taken: fc.integer({ min: 0, max: 2 }),
      put: fc.constantFrom('', ',', ']', '}', '"', '\\', '[', '{', ':', '0', '-', '.', 'e', ' ', 't', '\n'),
    })
    fc.assert(
      fc.property(value, fc.option(change), fc.boolean(), fc.integer({ min: 1, max: 9 }), (json, changed, isSpaced, bytesAtOnce) => {
        const text = JSON.stringify(json, null, isSpaced ? 1 : undefined)
        const at = changed === null ? 0 : changed.at % (text.length + 1)
        const tried = changed === null ? text : text.slice(0, at) + changed.put + text.slice(at + changed.taken)
        // Half of a surrogate pair has no bytes of its own.
        fc.pre(tried.isWellFormed())
        expect(scanned(tried, { bytesAtOnce }).defect === undefined).toBe(isJson(tried))
      }),
      { numRuns: 500 },
    )
  })
})

test('items of the outermost array, cut out at their ends, are its items', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 3 })), fc.boolean(), fc.integer({ min: 1, max: 9 }), (items, isSpaced, bytesAtOnce) => {
      const text = JSON.stringify(items, null, isSpaced ? 2 : undefined)
      const { ends } = scanned(text, { bytesAtOnce })
      const bytes = Buffer.from(text)
      const starts = [bytes.indexOf('['), ...ends]
      expect(ends.map((end, n) => JSON.parse(bytes.toString('utf8', (starts[n] as number) + 1, end)))).toEqual(JSON.parse(text))
    }),
  )
})

test('values in an object or in an inner array are no items', () => {
  expect(scanned('{"a":[1,2]}').ends).toEqual([])
  expect(scanned('[[1,2],{"a":[3,4]}]').ends).toEqual([6, 18])
})

test.each([
  { name: 'levels', text: `${'['.repeat(5)}${']'.repeat(5)}`, kind: 'too_deep' },
  { name: 'levels without an end', text: '{"a":'.repeat(100_000), kind: 'too_deep' },
  { name: 'values', text: '[0,0,0,0,0,0,0,0,0,0]', kind: 'too_many_values' },
  { name: 'members', text: '{"a":1,"b":[2,3,4,5],"c":{"d":6,"e":7,"f":8}}', kind: 'too_many_values' },
])('the first of too many $name ends it', ({ text, kind }) => {
  expect(scanned(text, { limits: { depthMax: 4, valuesMax: 10 } }).defect).toEqual({ kind })
})

test('a defect says where in the text it is, over all pieces', () => {
  expect(scanned('[1,2,3}', { bytesAtOnce: 2 }).defect).toEqual({ kind: 'malformed', at: 6 })
  expect(scanned('[1,2').defect).toEqual({ kind: 'malformed', at: null })
})

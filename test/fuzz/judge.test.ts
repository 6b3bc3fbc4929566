import { expect, test } from 'vitest'
import { createAnswerReader } from './answer-reader.ts'
import { wrongWith } from './judge.ts'

const problem = (change: object = {}) =>
  JSON.stringify({ type: 'urn:tollgate:problem:bad', title: 'Bad', status: 400, code: 'bad', detail: 'Send less.', ...change })
const answer = (status: number, body: string, headers: Record<string, string> = {}) => ({
  status,
  headers: new Map(Object.entries({ 'content-type': 'application/problem+json; charset=utf-8', ...headers })),
  body,
})

test.each([
  { name: 'an internal error', given: answer(500, problem({ status: 500 })), says: /status 500/ },
  { name: 'a gateway that is away', given: answer(502, ''), says: /status 502/ },
  { name: '503 that does not say when', given: answer(503, problem({ status: 503 })), says: /Retry-After/ },
  { name: 'an error in plain text', given: answer(400, 'no', { 'content-type': 'text/plain' }), says: /text\/plain/ },
  { name: 'an error without a body', given: answer(417, ''), says: /not JSON/ },
  { name: 'another status within', given: answer(404, problem()), says: /status 400/ },
  { name: 'no code', given: answer(400, problem({ code: undefined })), says: /code undefined/ },
  { name: 'an empty detail', given: answer(400, problem({ detail: ' ' })), says: /detail/ },
  { name: 'a stack', given: answer(400, problem({ detail: 'x\n    at read (/app/api/a.ts:3:4)' })), says: /inside/ },
  { name: 'a stack in an answer that is fine', given: answer(200, '{"note":"node:internal/process"}'), says: /inside/ },
  { name: "another's text in a body", given: answer(200, '{"name":"quiet-heron"}'), says: /another tenant/ },
  { name: "another's text in a header", given: answer(204, '', { location: '/quiet-heron' }), says: /another tenant/ },
])('$name is wrong', ({ given, says }) => {
  expect(wrongWith(given, ['quiet-heron'])).toMatch(says)
})

test.each([answer(200, '{}'), answer(204, ''), answer(400, problem()), answer(503, problem({ status: 503 }), { 'retry-after': '2' })])(
  'what keeps the contract is not',
  (given) => {
    expect(wrongWith(given, ['quiet-heron'])).toBeNull()
  },
)

test('answers are read alike wherever the bytes are cut', () => {
  const text = [
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
    'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nto the end',
  ]
  const bytes = Buffer.from(text.join(''))
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = createAnswerReader((place) => place === 1)
    reader.push(bytes.subarray(0, cut))
    reader.push(bytes.subarray(cut))
    reader.end()
    expect(reader.answers.map(({ status, body }) => [status, body])).toEqual([
      [200, '{"a":1}'],
      [200, ''],
      [204, ''],
      [200, 'abcde'],
      [400, 'to the end'],
    ])
  }
})

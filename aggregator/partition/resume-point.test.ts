import { expect, test } from 'vitest'
import type { Offset, Partition } from '../../domain/identity.ts'
import { CATCH_UP_RECORDS_MAX, resumePoint } from './resume-point.ts'

const at = (storedNext: number, countersNext: number, start: number, next: number) => ({
  storedNext: storedNext as Offset,
  countersNext: countersNext as Offset,
  chunkRecords: 10,
  log: { start: start as Offset, next: next as Offset },
})
const far = CATCH_UP_RECORDS_MAX + 100

test.each([
  { name: 'nothing was ever read', given: at(0, 0, 0, 5), is: { chunkStart: 0, from: 0, resetsCounters: false } },
  { name: 'the chunk begins anew', given: at(25, 25, 0, 30), is: { chunkStart: 20, from: 20, resetsCounters: false } },
  { name: 'the counters are ahead', given: at(25, 29, 0, 30), is: { chunkStart: 20, from: 20, resetsCounters: false } },
  { name: 'the counters are behind', given: at(45, 12, 0, 50), is: { chunkStart: 10, from: 10, resetsCounters: false } },
  { name: 'the counters are far behind', given: at(far, 3, 0, far), is: { chunkStart: far, from: far, resetsCounters: true } },
  { name: 'what the counters miss is gone', given: at(45, 12, 15, 50), is: { chunkStart: 40, from: 40, resetsCounters: true } },
  { name: 'the chunk is partly gone', given: at(25, 25, 23, 30), is: { chunkStart: 20, from: 23, resetsCounters: false } },
  { name: 'the log is empty', given: at(25, 25, 25, 25), is: { chunkStart: 20, from: 25, resetsCounters: false } },
])('$name', ({ given, is }) => {
  expect(resumePoint(0 as Partition, given)).toEqual(is)
})

test.each([
  { name: 'the log was lost', given: at(25, 0, 0, 10), code: 'log_behind_usage_store' },
  { name: 'records that were never counted are gone', given: at(25, 25, 26, 40), code: 'log_trimmed_too_far' },
])('$name: $code', ({ given, code }) => {
  expect(() => resumePoint(0 as Partition, given)).toThrow(expect.objectContaining({ code, canRetry: false }))
})

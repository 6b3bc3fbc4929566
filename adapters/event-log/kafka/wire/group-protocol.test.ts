import { expect, test } from 'vitest'
import { decodeMemberClaim, decodeMemberShare, encodeMemberClaim, encodeMemberShare } from './group-protocol.ts'

test('claims and shares survive the wire, and a share of another topic is none', () => {
  const claim = Buffer.from('{"generation":12}')
  expect(decodeMemberClaim(encodeMemberClaim('events', claim))).toEqual(claim)
  expect(decodeMemberShare('events', encodeMemberShare('events', [0, 15]))).toEqual([0, 15])
  expect(decodeMemberShare('events', encodeMemberShare('other', [0, 15]))).toEqual([])
  expect(decodeMemberShare('events', Buffer.alloc(0))).toEqual([])
})

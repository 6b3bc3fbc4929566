import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assignPartitions, decodeClaim, encodeClaim, type GroupClaim } from './kafka-group-assignment.ts'

const group = fc.record({
  partitions: fc.integer({ min: 1, max: 40 }),
  owners: fc.array(fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }), { minLength: 40, maxLength: 40 }),
  members: fc.integer({ min: 1, max: 5 }),
})

/** Members 0..n-1; `owners[p]` is the consumer of p, if it is still a member. */
function claimsOf({
  partitions,
  owners,
  members,
}: {
  partitions: number
  owners: readonly (number | undefined)[]
  members: number
}): GroupClaim[] {
  return Array.from({ length: members }, (_, member) => ({
    memberId: `m${member}`,
    generation: 7,
    owned: Array.from({ length: partitions }, (_, partition) => partition).filter((partition) => owners[partition] === member),
  }))
}

describe('assignPartitions', () => {
  test('gives a partition that a member consumes to nobody else in the same round', () => {
    fc.assert(
      fc.property(group, (given) => {
        const claims = claimsOf(given)
        const assigned = assignPartitions(claims, given.partitions)
        const all = [...assigned.values()].flat()
        expect(new Set(all).size).toBe(all.length)
        for (const { memberId, owned } of claims) {
          for (const partition of owned) {
            for (const [other, partitions] of assigned) if (other !== memberId) expect(partitions).not.toContain(partition)
          }
        }
      }),
    )
  })

  test('after two rounds every partition is consumed, the shares differ by one at most, and a third round moves nothing', () => {
    fc.assert(
      fc.property(group, (given) => {
        const round = (claims: readonly GroupClaim[]) =>
          [...assignPartitions(claims, given.partitions)].map(([memberId, owned], index) => ({ memberId, owned, generation: 8 + index }))
        const settled = round(round(claimsOf(given)))
        const sizes = settled.map(({ owned }) => owned.length)
        expect(settled.flatMap(({ owned }) => owned).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: given.partitions }, (_, partition) => partition),
        )
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        const again = new Map(round(settled).map(({ memberId, owned }) => [memberId, owned.toSorted()]))
        for (const { memberId, owned } of settled) expect(again.get(memberId)).toEqual(owned.toSorted())
      }),
    )
  })

  test('of two members that claim the same partition the one of the later generation keeps it', () => {
    const assigned = assignPartitions(
      [
        { memberId: 'a', generation: 3, owned: [0] },
        { memberId: 'b', generation: 4, owned: [0] },
      ],
      2,
    )
    expect(assigned.get('b')).toEqual([0])
    expect(assigned.get('a')).toEqual([1])
  })
})

test('a claim is read as it was sent', () => {
  const claim = { generation: 12, owned: [3, 1] }
  expect(decodeClaim('m', encodeClaim(claim))).toEqual({ memberId: 'm', ...claim })
})

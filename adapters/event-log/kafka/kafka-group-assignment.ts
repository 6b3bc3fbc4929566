/** A member of the group that asks to join: the partitions it consumes and, by its own account, the generation in which it was given them. */
export type GroupClaim = { readonly memberId: string; readonly generation: number; readonly owned: readonly number[] }

/**
 * Shares `partitions` (0 to n-1) among the members so that their counts differ by one at most, and moves as few as possible. A
 * partition that moves is first given to nobody: its owner sees that it is missing, lets go of it and joins again, and only that
 * next round gives it away. So two members never consume the same partition, and a partition that stays is consumed through the
 * whole rebalance (the idea of Kafka's cooperative protocol, KIP-429).
 */
export function assignPartitions(claims: readonly GroupClaim[], partitions: number): ReadonlyMap<string, readonly number[]> {
  const owners = ownerByPartition(claims, partitions)
  const owned = new Map(claims.map(({ memberId }) => [memberId, [] as number[]]))
  for (const [partition, memberId] of owners) owned.get(memberId)?.push(partition)
  // Members with the most partitions come first: they keep the odd ones, so fewer partitions move.
  const members = [...owned.keys()].sort((a, b) => sizeOf(owned, b) - sizeOf(owned, a) || (a < b ? -1 : 1))
  const share = Math.floor(partitions / members.length)
  const odd = partitions % members.length
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter((partition) => !owners.has(partition))
  return new Map(
    members.map((memberId, rank) => {
      const quota = share + (rank < odd ? 1 : 0)
      const kept = (owned.get(memberId) ?? []).slice(0, quota)
      return [memberId, [...kept, ...free.splice(0, quota - kept.length)]]
    }),
  )
}

/** The claim that a member sends when it joins. */
export function encodeClaim(claim: Omit<GroupClaim, 'memberId'>): Buffer {
  return Buffer.from(JSON.stringify(claim))
}

export function decodeClaim(memberId: string, claim: Buffer): GroupClaim {
  const { generation, owned } = JSON.parse(claim.toString()) as Omit<GroupClaim, 'memberId'>
  return { memberId, generation, owned }
}

/** Two members may claim the same partition when one was thrown out and does not know it yet; the later generation is right. */
function ownerByPartition(claims: readonly GroupClaim[], partitions: number): ReadonlyMap<number, string> {
  const owners = new Map<number, string>()
  const latestFirst = [...claims].sort((a, b) => b.generation - a.generation || (a.memberId < b.memberId ? -1 : 1))
  for (const { memberId, owned } of latestFirst) {
    for (const partition of owned) {
      if (partition < partitions && !owners.has(partition)) owners.set(partition, memberId)
    }
  }
  return new Map([...owners].sort(([a], [b]) => a - b))
}

function sizeOf(owned: ReadonlyMap<string, readonly number[]>, memberId: string): number {
  return owned.get(memberId)?.length ?? 0
}

/** Holds of one feature, in the slow and obvious way: every sum is added up anew from a list, every expiry checked each time. */
export type HoldModel = {
  reserve(id: string, quantity: bigint, nowMs: number, expiresAtMs: number): 'held' | 'refused' | 'exists'
  settleAtOnce(id: string, quantity: bigint, nowMs: number): 'held' | 'refused' | 'exists'
  /** The units taken, or why none were. */
  takeWhatFits(id: string, quantity: bigint, nowMs: number): bigint | 'refused' | 'exists'
  /** The units settled afterwards, or null when there are none. */
  settle(id: string, quantity: bigint, nowMs: number): bigint | null
  release(id: string, nowMs: number): void
  extend(id: string, nowMs: number, expiresAtMs: number): void
  /** The usage event of a settling hold is applied: its units, or null when it is not settling. */
  applied(id: string): bigint | null
  use(units: bigint): void
  used(): bigint
  held(nowMs: number): bigint
  state(id: string, nowMs: number): string | null
}

type ModelHold = { quantity: bigint; expiresAtMs: number; end: 'released' | 'settling' | 'settled' | null; settled: bigint }

export function createHoldModel(limit: bigint): HoldModel {
  const holds = new Map<string, ModelHold>()
  let usedUnits = 0n
  const stateOf = ({ end, expiresAtMs }: ModelHold, nowMs: number) => end ?? (expiresAtMs <= nowMs ? 'expired' : 'held')
  const heldUnits = (nowMs: number, except?: ModelHold) =>
    [...holds.values()].reduce((sum, hold) => {
      if (hold === except) return sum
      const state = stateOf(hold, nowMs)
      return sum + (state === 'held' ? hold.quantity : state === 'settling' ? hold.settled : 0n)
    }, 0n)
  return {
    reserve(id, quantity, nowMs, expiresAtMs) {
      if (holds.has(id)) return 'exists'
      if (usedUnits + heldUnits(nowMs) + quantity > limit) return 'refused'
      holds.set(id, { quantity, expiresAtMs, end: null, settled: 0n })
      return 'held'
    },
    settleAtOnce(id, quantity, nowMs) {
      if (holds.has(id)) return 'exists'
      if (usedUnits + heldUnits(nowMs) + quantity > limit) return 'refused'
      holds.set(id, { quantity, expiresAtMs: nowMs, end: 'settling', settled: quantity })
      return 'held'
    },
    takeWhatFits(id, quantity, nowMs) {
      if (holds.has(id)) return 'exists'
      const room = limit - usedUnits - heldUnits(nowMs)
      if (room <= 0n) return 'refused'
      // biome-ignore lint/complexity/useMathMinMax: they are bigints.
      const settled = quantity < room ? quantity : room
      holds.set(id, { quantity, expiresAtMs: nowMs, end: 'settling', settled })
      return settled
    },
    settle(id, quantity, nowMs) {
      const hold = holds.get(id)
      if (hold === undefined || hold.end === 'released') return null
      if (hold.end !== null) return hold.settled
      const own = stateOf(hold, nowMs) === 'held' ? hold.quantity : 0n
      const room = limit - usedUnits - heldUnits(nowMs, hold)
      const most = room > own ? room : own
      hold.settled = quantity < most ? quantity : most
      hold.end = hold.settled === 0n ? 'settled' : 'settling'
      return hold.settled
    },
    release(id, _nowMs) {
      const hold = holds.get(id)
      if (hold?.end === null) hold.end = 'released'
    },
    extend(id, nowMs, expiresAtMs) {
      const hold = holds.get(id)
      if (hold !== undefined && stateOf(hold, nowMs) === 'held' && expiresAtMs > hold.expiresAtMs) hold.expiresAtMs = expiresAtMs
    },
    applied(id) {
      const hold = holds.get(id)
      if (hold?.end !== 'settling') return null
      hold.end = 'settled'
      usedUnits += hold.settled
      return hold.settled
    },
    use(units) {
      usedUnits += units
    },
    used: () => usedUnits,
    held: (nowMs) => heldUnits(nowMs),
    state(id, nowMs) {
      const hold = holds.get(id)
      return hold === undefined ? null : stateOf(hold, nowMs)
    },
  }
}

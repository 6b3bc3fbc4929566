/** What the sender knows of one reservation. Between a request and its answer it knows only a range: what is surely held, and what may be held. */
export type HoldRecord = {
  readonly id: string
  readonly customer: string
  readonly quantity: bigint
  readonly ttlMs: number
  reserveSentMs: number
  state: 'asked' | 'held' | 'extending' | 'refused' | 'lost' | 'settling' | 'settled' | 'releasing' | 'released'
  /** As the server answered it; 0 while unknown. */
  expiresAtMs: number
  /** The quantity asked to settle, and the quantity that the server allowed. */
  requested: bigint
  settled: bigint
  endedMs: number
}

export type HoldRecords = {
  ask(hold: Pick<HoldRecord, 'id' | 'customer' | 'quantity' | 'ttlMs'>, sentMs: number): HoldRecord
  of(customer: string): readonly HoldRecord[]
  all(): readonly HoldRecord[]
  /** At an instant between the two, the customer's reservations use and hold at least this much. */
  surely(customer: string, untilMs: number): bigint
  /** At most this much. */
  perhaps(customer: string, sinceMs: number): bigint
}

export function createHoldRecords(): HoldRecords {
  const byCustomer = new Map<string, HoldRecord[]>()
  const of = (customer: string) => byCustomer.get(customer) ?? []
  return {
    ask(hold, sentMs) {
      const record: HoldRecord = { ...hold, reserveSentMs: sentMs, state: 'asked', expiresAtMs: 0, requested: 0n, settled: 0n, endedMs: 0 }
      byCustomer.set(hold.customer, [...of(hold.customer), record])
      return record
    },
    of,
    all: () => [...byCustomer.values()].flat(),
    surely: (customer, untilMs) => of(customer).reduce((sum, hold) => sum + surelyTaken(hold, untilMs), 0n),
    perhaps: (customer, sinceMs) => of(customer).reduce((sum, hold) => sum + perhapsTaken(hold, sinceMs), 0n),
  }
}

function surelyTaken(hold: HoldRecord, untilMs: number): bigint {
  const isLive = hold.expiresAtMs > untilMs
  switch (hold.state) {
    case 'held':
    case 'extending':
      return isLive ? hold.quantity : 0n
    case 'settling':
      return isLive ? least(hold.quantity, hold.requested) : 0n
    case 'settled':
      return hold.settled
    case 'asked':
    case 'refused':
    case 'lost':
    case 'releasing':
    case 'released':
      return 0n
  }
}

function perhapsTaken(hold: HoldRecord, sinceMs: number): bigint {
  switch (hold.state) {
    case 'asked':
    case 'extending':
    case 'lost':
      return hold.quantity
    case 'held':
    case 'releasing':
      return hold.expiresAtMs >= sinceMs ? hold.quantity : 0n
    case 'settling':
      return most(hold.quantity, hold.requested)
    case 'settled':
      // Until the answer it may have been held in full.
      return hold.endedMs >= sinceMs ? most(hold.quantity, hold.settled) : hold.settled
    case 'released':
      return hold.endedMs >= sinceMs ? hold.quantity : 0n
    case 'refused':
      return 0n
  }
}

const least = (a: bigint, b: bigint) => (a < b ? a : b)
const most = (a: bigint, b: bigint) => (a > b ? a : b)

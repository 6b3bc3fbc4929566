import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import type { CustomerKey, InstantMs, Partition } from '../../../domain/identity.ts'
import type { Hold, HoldState } from '../../../domain/reservations/hold.ts'
import { COUNTER_BOUNDS } from '../counter-bounds.ts'
import {
  type Cap,
  type Counters,
  type CustomerRef,
  HOLD_MEMORY_MS,
  type HoldOutcome,
  type HoldRequest,
  type ReserveOutcome,
} from '../counters.ts'
import type { RedisCountersMetrics } from './redis-counters-metrics.ts'
import { unconfirmedFault } from './redis-fault.ts'
import { createRedisHoldExpiry } from './redis-hold-expiry.ts'
import { holdAt, holdOfRow, parseHoldRow } from './redis-hold-row.ts'
import { customerOfName, nameOfCustomer, type RedisKeys } from './redis-keys.ts'
import { REDIS_SCRIPTS, type RedisScript } from './redis-scripts.ts'
import type { RedisServers } from './redis-servers.ts'

export type RedisHolds = Pick<Counters, 'reserve' | 'hold' | 'settleHold' | 'releaseHold' | 'extendHold' | 'settlingHolds'> & {
  /** Ends the customer's due holds in the background. */
  endSoon(customer: CustomerRef, nowMs: InstantMs): void
  stop(): Promise<void>
}

const HOLDS_PER_PAGE = 500
/** Claims on one id that may overtake each other; more is no coincidence. */
const CLAIMS_MAX = 8
/** The longest wait before another's first claim is ended; twice as long before each further one. */
const FENCE_WAIT_MS = 4
/** A hold may be settled for a day after it expired, and is remembered for another. */
const ID_MEMORY_MS = 3 * HOLD_MEMORY_MS
const REPLICA_WAIT_MS_MAX = 1_000

/**
 * Holds on Redis. A hold lives with its customer, in reach of the script that judges it. The customer of an id is recorded in an
 * entry elsewhere, which is claimed before the hold is made, so that an id is taken once per tenant.
 */
export function createRedisHolds(deps: {
  readonly servers: RedisServers
  readonly keys: RedisKeys
  readonly metrics: RedisCountersMetrics
  readonly clock: Clock
  readonly random: () => number
  readonly replicasMin: number
  /** Bound in each partition. */
  readonly holdsOfTenantMax?: number | undefined
}): RedisHolds {
  const { servers, keys, metrics, clock, random, replicasMin, holdsOfTenantMax = COUNTER_BOUNDS.holdsOfTenant.most } = deps
  const expiry = createRedisHoldExpiry({ clock, expire })

  async function expire(customer: CustomerRef, nowMs: InstantMs): Promise<InstantMs | null> {
    const reply = await servers.run(REDIS_SCRIPTS.expireHolds, keys.holds(customer), () => [String(nowMs)])
    const [expired, nextDueMs] = reply as [number, string]
    metrics.ended('expired', expired)
    return nextDueMs === '' ? null : (Number(nextDueMs) as InstantMs)
  }

  async function change(script: RedisScript, names: readonly string[], argsFor: (run: string) => readonly string[]) {
    const [status, expired, ...rest] = (await servers.run(script, names, argsFor)) as [string, number, ...unknown[]]
    metrics.ended('expired', expired)
    if (status === 'unconfirmed') {
      metrics.unconfirmed()
      throw unconfirmedFault(servers.address)
    }
    return { status, rest }
  }

  /** A hold that a failover could take back is no promise: when replicas are configured, they have it first. */
  async function replicated(name: string): Promise<void> {
    if (replicasMin === 0) return
    const reached = await servers.waitForReplicas(name, replicasMin, REPLICA_WAIT_MS_MAX)
    if (reached < replicasMin) throw tooFewReplicas(servers.address, reached, replicasMin)
  }

  async function outcomeOf(customer: CustomerRef, id: string, changed: Awaited<ReturnType<typeof change>>): Promise<HoldOutcome> {
    const { status, rest } = changed
    if (status === 'unknown' || status === 'untracked') return { status }
    await replicated(keys.holds(customer)[0])
    return { status: 'done', hold: holdOfRow(customer, id, parseHoldRow(rest[0])) }
  }

  /** The outcome, or the turn up to which nobody can make the hold any more. */
  async function reserveInTurn(
    turn: number,
    customer: CustomerRef,
    request: HoldRequest,
    nowMs: InstantMs,
  ): Promise<ReserveOutcome | { readonly fencedTurn: number }> {
    const { id, feature, quantity, expiresAtMs, cap, settles } = request
    const names = [
      keys.partition(customer.partition),
      keys.counters(customer)[0],
      ...keys.holds(customer),
      keys.heldOfTenant(customer),
      keys.settling(customer.partition),
    ]
    const { status, rest } = await change(REDIS_SCRIPTS.reserve, names, (run) => [
      ...[run, String(nowMs), id, String(turn), feature, String(quantity), String(expiresAtMs)],
      ...encodeCap(cap),
      String(holdsOfTenantMax),
      ...(settles === undefined
        ? ['', '', '']
        : [nameOfCustomer(customer), settles.report.toWellFormed(), settles.takes === 'what_fits' ? '1' : '']),
    ])
    if (status === 'too_many') return { status, of: 'tenant', holdsMax: holdsOfTenantMax }
    if (status === 'fenced') return { fencedTurn: Number(rest[0]) }
    if (status === 'untracked') return { status }
    if (status === 'exists') {
      await replicated(names[2] ?? '')
      return { status, hold: holdOfRow(customer, id, parseHoldRow(rest[0])) }
    }
    const spent = { usedUnits: BigInt(String(rest[0])), heldUnits: BigInt(String(rest[1])) }
    const { tenant, customer: key, partition } = customer
    const hold: Hold = {
      id,
      tenant,
      customer: key,
      partition,
      feature,
      quantity,
      createdAtMs: nowMs,
      expiresAtMs,
      state: firstState(quantity, status === 'held' ? BigInt(String(rest[2])) : quantity, settles, nowMs),
    }
    if (status === 'refused') return { status, hold, ...spent }
    if (settles === undefined) expiry.watch(customer, expiresAtMs)
    await replicated(names[2] ?? '')
    return { status: 'held', hold, ...spent }
  }

  return {
    /**
     * Reserves under a claim on the id. A claim without a hold (its reservation was refused, or its process died) gives way:
     * first its turn is fenced off, so that nobody can make a hold in it any more, then the next turn begins. A claim whose hold
     * is still under way looks the same, so it is given a moment: customers that fence each other off at once would all go
     * without.
     */
    async reserve(customer, request, nowMs) {
      const entry = [keys.id(customer.tenant, request.id)]
      const neededMs = String(request.expiresAtMs - nowMs + ID_MEMORY_MS)
      let standing = String(await servers.run(REDIS_SCRIPTS.claimId, entry, () => [claimOf(customer, 1), neededMs]))
      for (let claims = 0; claims < CLAIMS_MAX; claims++) {
        const { owner, turn } = parseClaim(standing, customer.tenant)
        let endedTurn = turn
        if (owner.customer === customer.customer) {
          const outcome = await reserveInTurn(turn, customer, request, nowMs)
          if (!('fencedTurn' in outcome)) return outcome
          endedTurn = Math.max(turn, outcome.fencedTurn)
        } else {
          await clock.sleep(random() * FENCE_WAIT_MS * 2 ** claims)
          const row = await servers.run(REDIS_SCRIPTS.fenceHold, keys.holds(owner), () => [request.id, String(nowMs), String(turn)])
          if (row !== null) return { status: 'exists', hold: holdOfRow(owner, request.id, parseHoldRow(row)) }
        }
        const fenced = standing
        standing = String(await servers.run(REDIS_SCRIPTS.takeOverId, entry, () => [claimOf(customer, endedTurn + 1), neededMs, fenced]))
      }
      throw contended(request.id)
    },
    async hold(tenant, id, nowMs) {
      const standing = await servers.send(['GET', keys.id(tenant, id)])
      if (standing === null) return null
      const { owner } = parseClaim(String(standing), tenant)
      const row = await servers.send(['HGET', keys.holds(owner)[0], `h:${id}`])
      return row === null ? null : holdAt(owner, id, parseHoldRow(row), nowMs)
    },
    async settleHold(customer, id, { quantity, occurredAtMs, report, eventsHash, beyond }, nowMs) {
      const { partition } = customer
      const names = [
        keys.partition(partition),
        keys.settling(partition),
        keys.counters(customer)[0],
        ...keys.holds(customer),
        keys.heldOfTenant(customer),
      ]
      const cap = typeof beyond === 'string' ? [beyond] : ['cap', ...encodeCap(beyond)]
      const changed = await change(REDIS_SCRIPTS.settle, names, (run) => [
        ...[
          run,
          String(nowMs),
          id,
          nameOfCustomer(customer),
          String(quantity),
          String(occurredAtMs),
          report.toWellFormed(),
          eventsHash ?? '',
        ],
        ...cap,
      ])
      metrics.ended('settled', Number(changed.rest[1] ?? 0))
      return outcomeOf(customer, id, changed)
    },
    async releaseHold(customer, id, nowMs) {
      const changed = await change(REDIS_SCRIPTS.release, [...keys.holds(customer), keys.heldOfTenant(customer)], () => [String(nowMs), id])
      metrics.ended('released', Number(changed.rest[1] ?? 0))
      return outcomeOf(customer, id, changed)
    },
    async extendHold(customer, id, expiresAtMs, nowMs) {
      // The entry first, as it must outlive the hold.
      await servers.send(['PEXPIRE', keys.id(customer.tenant, id), String(expiresAtMs - nowMs + ID_MEMORY_MS), 'GT'])
      const changed = await change(REDIS_SCRIPTS.extend, [...keys.holds(customer), keys.heldOfTenant(customer)], () => [
        String(nowMs),
        id,
        String(expiresAtMs),
      ])
      return outcomeOf(customer, id, changed)
    },
    async *settlingHolds(partition) {
      for await (const names of settlingNames(servers, keys, partition)) {
        const rows = await Promise.all(names.map(({ id, customer }) => servers.send(['HGET', keys.holds(customer)[0], `h:${id}`])))
        const holds = names.flatMap(({ id, customer }, index) => {
          const row = rows[index]
          if (row === null || row === undefined) return []
          const hold = holdOfRow(customer, id, parseHoldRow(row))
          return hold.state.kind === 'settling' ? [hold] : []
        })
        if (holds.length > 0) yield holds
      }
    },
    endSoon: expiry.watch,
    stop: expiry.stop,
  }
}

function firstState(quantity: bigint, settledUnits: bigint, settles: HoldRequest['settles'], nowMs: InstantMs): HoldState {
  if (settles === undefined) return { kind: 'held' }
  const settlement = { requestedUnits: quantity, settledUnits, occurredAtMs: nowMs, report: settles.report, eventsHash: null }
  return { kind: 'settling', settlement }
}

/** Definition, start of the period, limit ('' for none), and start and used units of each earlier period. */
function encodeCap({ definition, periodStartMs, hardLimit, earlier = [] }: Cap): string[] {
  const expected = earlier.map((each) => [String(each.periodStartMs), String(each.usedUnits)])
  return [definition, String(periodStartMs), hardLimit === null ? '' : String(hardLimit), JSON.stringify(expected)]
}

/** Sorted by id: members are `<id> <tenant> <customer>`, in the order of their bytes. */
async function* settlingNames(servers: RedisServers, keys: RedisKeys, partition: Partition) {
  for (let from = '-'; ; ) {
    const limit = ['LIMIT', '0', String(HOLDS_PER_PAGE)]
    const members = (await servers.send(['ZRANGEBYLEX', keys.settling(partition), from, '+', ...limit])) as string[]
    const last = members.at(-1)
    if (last === undefined) return
    yield members.map((member) => {
      const at = member.indexOf(' ')
      return { id: member.slice(0, at), customer: customerOfName(member.slice(at + 1), partition) }
    })
    from = `(${last}`
  }
}

/** Partition, turn, customer. Turns of an id go up by at least one, whoever makes the claim. */
function claimOf({ partition, customer }: CustomerRef, turn: number): string {
  return `${partition} ${turn} ${customer}`
}

function parseClaim(claim: string, tenant: CustomerRef['tenant']): { readonly owner: CustomerRef; readonly turn: number } {
  const [partition = '', turn = ''] = claim.split(' ', 2)
  const customer = claim.slice(partition.length + turn.length + 2) as CustomerKey
  return { owner: { tenant, partition: Number(partition) as Partition, customer }, turn: Number(turn) }
}

function contended(id: string): Fault {
  return new Fault('counters_unavailable', `reservation ${id} was claimed by several customers at once`, {
    canRetry: true,
    publicText: 'Several reservations are being made under this id; take a new id for each.',
  })
}

function tooFewReplicas(address: string, reached: number, replicasMin: number): Fault {
  const text = `The counters on Redis (${address}): a hold reached ${reached} replicas of ${replicasMin} within ${REPLICA_WAIT_MS_MAX} ms. Bring back the replicas, or ask for fewer (REDIS_HOLD_REPLICAS).`
  return new Fault('counters_unavailable', text, { canRetry: true, publicText: 'The reservation could not be made safe; try again.' })
}

import { invariant } from '../../base/invariant.ts'
import type { Burn } from '../../domain/billing/billed.ts'
import { type Credit, compareCredits, isAlive, leftOf, pays } from '../../domain/billing/credit.ts'
import type { LineKind } from '../../domain/billing/invoice.ts'
import { greater, lesser, type Money, minus, negate, plus, zero } from '../../domain/billing/money.ts'
import type { FeatureKey, InstantMs, Period } from '../../domain/identity.ts'

/**
 * Pays lines with credits, in the order of event time. Time is cut where a credit begins or ends; in each segment its credits pay
 * one after the other, in burn order, each the first line first. A negative cost of a segment gives back: first what no credit
 * has paid, then what was burned last.
 */
export function burn<C extends string>(credits: readonly Credit<C>[], lines: readonly PayableLine<C>[]): Burned<C> {
  const purse = new Purse(credits)
  const paid = lines.map((line) => new LinePayment(line))
  const cuts = cutsOf(credits)
  const steps = paid.flatMap((line) => line.costs.map(({ atMs, amount }) => ({ line, amount, segment: segmentOf(cuts, atMs), atMs })))
  const segments = [...new Set(steps.map(({ segment }) => segment))].sort((a, b) => a - b)
  const burnedIn = segments.map((segment) => {
    const here = steps.filter((step) => step.segment === segment)
    const atMs = Math.min(...here.map((step) => step.atMs)) as InstantMs
    const before = purse.burned()
    for (const line of paid) line.close()
    for (const { line, amount } of here) line.ask(amount, purse)
    for (const credit of purse.alive(atMs)) for (const { line } of here) line.payFrom(credit, purse)
    return { atMs, burned: differences(before, purse.burned()) }
  })
  return { segments: burnedIn, lines: paid.map(({ burns }) => burns), credits: purse.credits() }
}

export type PayableLine<C extends string = string> = {
  readonly kind: LineKind
  readonly feature: FeatureKey | null
  /** Costs with the instants of event time that they begin at; in order of time. */
  readonly costs: readonly Cost<C>[]
  /** What was billed before for the same item: the part that no credit paid, and what each credit paid. */
  readonly unpaid: Money<C>
  readonly burns: readonly Burn<C>[]
}

export type Cost<C extends string = string> = { readonly atMs: InstantMs; readonly amount: Money<C> }

export type Burned<C extends string = string> = {
  readonly segments: readonly { readonly atMs: InstantMs; readonly burned: ReadonlyMap<string, Money<C>> }[]
  /** By line: what each credit paid now; below zero what it got back. */
  readonly lines: readonly (readonly Burn<C>[])[]
  readonly credits: readonly Credit<C>[]
}

/** The stretches of a period in which the same credits are alive. */
export function segmentsOf<C extends string>(credits: readonly Credit<C>[], period: Period): readonly Period[] {
  const inside = cutsOf(credits).filter((atMs) => atMs > period.startMs && atMs < period.endMs)
  const starts = [period.startMs, ...inside]
  return starts.map((startMs, index) => ({ startMs, endMs: starts[index + 1] ?? period.endMs }))
}

function cutsOf<C extends string>(credits: readonly Credit<C>[]): readonly InstantMs[] {
  const cuts = credits.flatMap(({ effectiveAtMs, expiresAtMs }) => (expiresAtMs === null ? [effectiveAtMs] : [effectiveAtMs, expiresAtMs]))
  return [...new Set(cuts)].sort((a, b) => a - b)
}

function segmentOf(cuts: readonly InstantMs[], atMs: InstantMs): number {
  const next = cuts.findIndex((cut) => cut > atMs)
  return next === -1 ? cuts.length : next
}

/** What one line was billed and which credits paid it. Lives within one computation. */
class LinePayment<C extends string> {
  readonly costs: readonly Cost<C>[]
  readonly burns: Burn<C>[] = []
  private readonly line: PayableLine<C>
  private unpaid: Money<C>
  /** What credits may still pay: only costs of the present segment. */
  private open: Money<C> = zero()
  private readonly stack: Burn<C>[]

  constructor(line: PayableLine<C>) {
    this.line = line
    this.costs = line.costs
    this.unpaid = line.unpaid
    this.stack = [...line.burns]
  }

  /** Costs that no credit paid in their own segment stay due. */
  close(): void {
    this.open = zero()
  }

  ask(amount: Money<C>, purse: Purse<C>): void {
    if (amount >= 0n) {
      this.unpaid = plus(this.unpaid, amount)
      this.open = plus(this.open, amount)
      return
    }
    let back = negate(amount)
    const fromUnpaid = lesser(back, greater(this.unpaid, zero()))
    this.unpaid = minus(this.unpaid, fromUnpaid)
    this.open = greater(zero(), minus(this.open, fromUnpaid))
    back = minus(back, fromUnpaid)
    while (back > 0n) {
      const last = this.stack.pop()
      if (last === undefined) break
      const given = lesser(back, last.amount)
      purse.giveBack(last.credit, given)
      this.burns.push({ credit: last.credit, amount: negate(given) })
      back = minus(back, given)
      if (given < last.amount) this.stack.push({ credit: last.credit, amount: minus(last.amount, given) })
    }
    this.unpaid = minus(this.unpaid, back)
  }

  payFrom(credit: string, purse: Purse<C>): void {
    const open = lesser(this.open, this.unpaid)
    if (open <= 0n || !purse.mayPay(credit, this.line)) return
    const amount = purse.take(credit, open)
    if (amount === 0n) return
    this.open = minus(this.open, amount)
    this.unpaid = minus(this.unpaid, amount)
    this.stack.push({ credit, amount })
    this.burns.push({ credit, amount })
  }
}

/** The credits while they burn. Lives within one computation. */
class Purse<C extends string> {
  private readonly byId: Map<string, Credit<C>>

  constructor(credits: readonly Credit<C>[]) {
    this.byId = new Map([...credits].sort(compareCredits).map((credit) => [credit.id, credit]))
  }

  alive(atMs: InstantMs): readonly string[] {
    return this.credits().flatMap((credit) => (isAlive(credit, atMs) && leftOf(credit) > 0n ? [credit.id] : []))
  }

  mayPay(id: string, line: PayableLine<C>): boolean {
    return pays(this.get(id), line)
  }

  take(id: string, wanted: Money<C>): Money<C> {
    const credit = this.get(id)
    const amount = lesser(wanted, leftOf(credit))
    this.byId.set(id, { ...credit, burned: plus(credit.burned, amount) })
    return amount
  }

  giveBack(id: string, amount: Money<C>): void {
    const credit = this.get(id)
    this.byId.set(id, { ...credit, burned: minus(credit.burned, amount) })
  }

  burned(): ReadonlyMap<string, Money<C>> {
    return new Map(this.credits().map(({ id, burned }) => [id, burned]))
  }

  credits(): readonly Credit<C>[] {
    return [...this.byId.values()]
  }

  private get(id: string): Credit<C> {
    const credit = this.byId.get(id)
    invariant(credit !== undefined, `the state holds credit ${id}, which paid a line`)
    return credit
  }
}

function differences<C extends string>(before: ReadonlyMap<string, Money<C>>, after: ReadonlyMap<string, Money<C>>) {
  const entries = [...after].map(([id, amount]) => [id, minus(amount, before.get(id) ?? zero())] as const)
  return new Map(entries.filter(([, amount]) => amount !== 0n))
}

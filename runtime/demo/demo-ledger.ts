import { DEMO_MODELS, DEMO_PRICES, type DemoModel } from './demo-scenario.ts'

type Tally = { tokens: Record<DemoModel, { input: number; output: number }>; apiCalls: number; agentRuns: number }

export type DemoLedger = {
  tokens(customer: string, model: DemoModel, input: number, output: number): void
  apiCall(customer: string): void
  agentRun(customer: string): void
  /** Customers by tokens sent, most first. */
  heaviest(count: number): readonly string[]
  agentRuns(customer: string): number
  /** What the customer owes, as a decimal string, from the demo's own counts and plain integer arithmetic. */
  owed(customer: string): string
}

/**
 * The demo's own record of the distinct events it sent. It shares nothing with the pipeline or the rating engine, so an invoice
 * that equals it has been checked independently.
 */
export function createDemoLedger(): DemoLedger {
  const tallies = new Map<string, Tally>()
  const of = (customer: string): Tally => {
    let tally = tallies.get(customer)
    if (!tally) {
      tally = { tokens: { swift: { input: 0, output: 0 }, titan: { input: 0, output: 0 } }, apiCalls: 0, agentRuns: 0 }
      tallies.set(customer, tally)
    }
    return tally
  }
  return {
    tokens(customer, model, input, output) {
      const tokens = of(customer).tokens[model]
      tokens.input += input
      tokens.output += output
    },
    apiCall(customer) {
      of(customer).apiCalls += 1
    },
    agentRun(customer) {
      of(customer).agentRuns += 1
    },
    heaviest(count) {
      const weight = (tally: Tally) => DEMO_MODELS.reduce((sum, model) => sum + tally.tokens[model].input + tally.tokens[model].output, 0)
      return [...tallies]
        .sort(([, a], [, b]) => weight(b) - weight(a))
        .slice(0, count)
        .map(([customer]) => customer)
    },
    agentRuns: (customer) => tallies.get(customer)?.agentRuns ?? 0,
    owed: (customer) =>
      fromPicoCents(linesOf(of(customer)).reduce((sum, line) => sum + toWholeCents(line), picoCents(DEMO_PRICES.baseFee))),
  }
}

// One millionth of a millionth of a cent divides every price of the plan without a remainder.
const PICO_CENTS_PER_CENT = 10n ** 12n

function linesOf(tally: Tally): bigint[] {
  const { apiCalls, agentRuns, perMillionTokens } = DEMO_PRICES
  const tokenLines = DEMO_MODELS.flatMap((model) =>
    (['input', 'output'] as const).map(
      (direction) => (picoCents(perMillionTokens[model][direction]) * BigInt(tally.tokens[model][direction])) / 1_000_000n,
    ),
  )
  const upTo1000 = Math.max(0, Math.min(tally.apiCalls, 1000) - apiCalls.includedCalls)
  const above = Math.max(0, tally.apiCalls - 1000)
  const packages = Math.ceil(Math.max(0, tally.agentRuns - agentRuns.includedRuns) / agentRuns.runsPerPackage)
  return [
    ...tokenLines,
    picoCents(apiCalls.perCallUpTo1000) * BigInt(upTo1000) + picoCents(apiCalls.perCallAbove) * BigInt(above),
    picoCents(agentRuns.perPackage) * BigInt(packages),
  ]
}

function picoCents(amount: string): bigint {
  const [whole = '0', fraction = ''] = amount.split('.')
  return BigInt(whole + fraction.padEnd(14, '0'))
}

function toWholeCents(exact: bigint): bigint {
  return ((exact + PICO_CENTS_PER_CENT / 2n) / PICO_CENTS_PER_CENT) * PICO_CENTS_PER_CENT
}

function fromPicoCents(amount: bigint): string {
  const cents = amount / PICO_CENTS_PER_CENT
  return `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`
}

import type { DemoLedger } from './demo-ledger.ts'
import { DEMO_MODELS } from './demo-scenario.ts'

export type DemoEvent = { readonly id: string; readonly type: string; readonly customer: string; readonly data: Record<string, unknown> }

export type DemoTraffic = {
  /** LLM requests and API calls that need no permission. */
  nextBatch(count: number): readonly DemoEvent[]
  /** A customer who wants an agent run, and the event to send if it is allowed. */
  nextRun(): { readonly customer: string; readonly event: DemoEvent }
}

/** A few hundred customers, a few of them heavy. Seeded: the same run every time. */
export function createDemoTraffic(options: { customers: number; seed: number; ledger: DemoLedger }): DemoTraffic {
  const random = createRandom(options.seed)
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
  // Squaring twice makes the first customers the most likely ones, as in real usage.
  const customer = () => `team-${String(Math.floor(random() ** 4 * options.customers) + 1).padStart(3, '0')}`
  let serial = 0
  const id = () => `demo-${++serial}`

  function llmRequest(): DemoEvent {
    const event = { id: id(), type: 'llm.request', customer: customer(), model: pick(DEMO_MODELS) }
    const input = 200 + Math.floor(random() * 3_000)
    const output = 20 + Math.floor(random() * 800)
    options.ledger.tokens(event.customer, event.model, input, output)
    return {
      id: event.id,
      type: event.type,
      customer: event.customer,
      data: { model: event.model, input_tokens: input, output_tokens: output },
    }
  }

  function apiCall(): DemoEvent {
    const event = { id: id(), type: 'api.call', customer: customer(), data: { route: pick(['/search', '/chat', '/embed']) } }
    options.ledger.apiCall(event.customer)
    return event
  }

  return {
    nextBatch: (count) => Array.from({ length: count }, () => (random() < 0.7 ? llmRequest() : apiCall())),
    nextRun() {
      const who = customer()
      return { customer: who, event: { id: id(), type: 'agent.run', customer: who, data: { agent: pick(['coder', 'researcher']) } } }
    },
  }
}

/** mulberry32 (public domain, Tommy Ettinger): 32 bits of state are plenty for a demo. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

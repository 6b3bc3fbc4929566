/** What the demo sells: an AI product with tokens by model and direction, API calls and agent runs. */
export const DEMO_MODELS = ['swift', 'titan'] as const
export type DemoModel = (typeof DEMO_MODELS)[number]

/** Prices in the units in which the plan states them; the invoice check multiplies these by hand, without the rating engine. */
export const DEMO_PRICES = {
  baseFee: '49.00',
  perMillionTokens: { swift: { input: '0.15', output: '0.60' }, titan: { input: '2.50', output: '10.00' } },
  apiCalls: { includedCalls: 200, perCallUpTo1000: '0.002', perCallAbove: '0.0015' },
  agentRuns: { includedRuns: 5, runsPerPackage: 5, perPackage: '1.00' },
} as const

export const DEMO_RUNS_HARD_LIMIT = 25
export const DEMO_TOKENS_SOFT_LIMIT = 1_500_000

/** The PUTs that set the product up, in order. */
export function demoCatalog(): readonly { readonly path: string; readonly body: unknown }[] {
  return [
    meter('input_tokens', { eventType: 'llm.request', aggregation: 'sum', value: 'input_tokens', dimensions: { model: 'model' } }),
    meter('output_tokens', { eventType: 'llm.request', aggregation: 'sum', value: 'output_tokens', dimensions: { model: 'model' } }),
    meter('tokens', {
      eventType: 'llm.request',
      aggregation: 'sum',
      value: ['input_tokens', 'output_tokens'],
      dimensions: { model: 'model' },
    }),
    meter('api_calls', { eventType: 'api.call', aggregation: 'count' }),
    meter('agent_runs', { eventType: 'agent.run', aggregation: 'count' }),
    ...['input_tokens', 'output_tokens', 'tokens', 'api_calls', 'agent_runs'].map((key) => ({
      path: `/v1/features/${key}`,
      body: { name: key.replace('_', ' '), type: 'metered', meter: key },
    })),
    { path: '/v1/products/assistant', body: { name: 'Assistant' } },
    { path: '/v1/plans/scale', body: demoPlan() },
  ]
}

function meter(key: string, body: unknown) {
  return { path: `/v1/meters/${key}`, body }
}

function demoPlan() {
  const { apiCalls, agentRuns, perMillionTokens } = DEMO_PRICES
  return {
    product: 'assistant',
    name: 'Scale',
    currency: 'USD',
    interval: 'month',
    baseFee: DEMO_PRICES.baseFee,
    charges: [
      ...DEMO_MODELS.flatMap((model) =>
        (['input', 'output'] as const).map((direction) => ({
          key: `${model}_${direction}`,
          feature: `${direction}_tokens`,
          filter: { model: [model] },
          price: { model: 'flat', unitAmount: perMillionTokens[model][direction], per: '1000000' },
        })),
      ),
      {
        key: 'api_calls',
        feature: 'api_calls',
        price: {
          model: 'tiered',
          tiers: [
            { upTo: String(apiCalls.includedCalls), unitAmount: '0' },
            { upTo: '1000', unitAmount: apiCalls.perCallUpTo1000 },
            { upTo: null, unitAmount: apiCalls.perCallAbove },
          ],
        },
      },
      {
        key: 'agent_runs',
        feature: 'agent_runs',
        price: {
          model: 'package',
          amount: agentRuns.perPackage,
          packageSize: String(agentRuns.runsPerPackage),
          freeUnits: String(agentRuns.includedRuns),
        },
      },
    ],
    entitlements: [
      { feature: 'agent_runs', limit: String(DEMO_RUNS_HARD_LIMIT), limitType: 'hard', reset: 'interval' },
      { feature: 'tokens', limit: String(DEMO_TOKENS_SOFT_LIMIT), limitType: 'soft', reset: 'interval' },
    ],
  }
}

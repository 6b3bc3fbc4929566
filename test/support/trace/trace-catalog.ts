import type { TollgateProcess } from '../servers/tollgate-process.ts'

/** Each model's tokens have their own price, per million. */
export const PER_MODEL_CHARGES = [
  { key: 'azure-code_input', model: 'azure-code', direction: 'input', unitAmount: '0.15' },
  { key: 'azure-code_output', model: 'azure-code', direction: 'output', unitAmount: '0.60' },
  { key: 'azure-conv_input', model: 'azure-conv', direction: 'input', unitAmount: '2.50' },
  { key: 'azure-conv_output', model: 'azure-conv', direction: 'output', unitAmount: '10.00' },
] as const

/** All tokens together, per million, each tier pricing its own part. */
export const GRADUATED_TIERS = [
  { upTo: '100000', unitAmount: '0' },
  { upTo: '1000000', unitAmount: '3.00' },
  { upTo: '10000000', unitAmount: '2.40', flatAmount: '5.00' },
  { upTo: '1000000000', unitAmount: '1.8755' },
  { upTo: null, unitAmount: '1.101' },
] as const

export const TRACE_INVOICES_AT = '2023-11-30T12:00:00Z'

const SEPARATE_METERS = {
  input_tokens: ['input_tokens'],
  output_tokens: ['output_tokens'],
  total_tokens: ['input_tokens', 'output_tokens'],
}

/** Meters on input, output and their sum, by model; two price plans. */
export async function createTraceCatalog(tollgate: Pick<TollgateProcess, 'ok'>): Promise<void> {
  for (const [key, value] of Object.entries(SEPARATE_METERS)) {
    await tollgate.ok('PUT', `/v1/meters/${key}`, { eventType: 'llm.request', aggregation: 'sum', value, dimensions: { model: 'model' } })
    await tollgate.ok('PUT', `/v1/features/${key}`, { name: key, type: 'metered', meter: key, unit: 'token' })
  }
  for (const aggregation of ['min', 'max', 'avg'] as const) {
    await tollgate.ok('PUT', `/v1/meters/${aggregation}_tokens`, {
      eventType: 'llm.request',
      aggregation,
      value: ['input_tokens', 'output_tokens'],
      dimensions: { model: 'model' },
    })
  }
  await tollgate.ok('PUT', '/v1/meters/requests', { eventType: 'llm.request', aggregation: 'count', dimensions: { model: 'model' } })
  await tollgate.ok('PUT', '/v1/meters/models', { eventType: 'llm.request', aggregation: 'unique', value: 'model' })
  await tollgate.ok('PUT', '/v1/products/llm', { name: 'LLM gateway' })
  await tollgate.ok('PUT', '/v1/plans/tokens_per_model', {
    product: 'llm',
    name: 'Tokens per model',
    currency: 'USD',
    interval: 'month',
    charges: PER_MODEL_CHARGES.map(({ key, model, direction, unitAmount }) => ({
      key,
      feature: `${direction}_tokens`,
      filter: { model: [model] },
      price: { model: 'flat', unitAmount, per: '1000000' },
    })),
  })
  await tollgate.ok('PUT', '/v1/plans/graduated_total_tokens', {
    product: 'llm',
    name: 'Graduated total tokens',
    currency: 'USD',
    interval: 'month',
    charges: [{ key: 'total', feature: 'total_tokens', price: { model: 'tiered', per: '1000000', tiers: GRADUATED_TIERS } }],
    entitlements: [{ feature: 'total_tokens', limit: '1000000', limitType: 'soft', reset: 'interval' }],
  })
}

/** Both plans for each customer, from the start of the trace's month; the subscription ids by customer. */
export async function subscribeTraceCustomers(tollgate: Pick<TollgateProcess, 'ok'>, customers: readonly string[]) {
  const subscriptions = new Map<string, { perModel: string; graduated: string }>()
  for (const customer of customers) {
    const subscribe = (plan: string) =>
      tollgate.ok<{ id: string }>('POST', '/v1/subscriptions', { customer, plan, startAt: '2023-11-01T00:00:00Z', allowSeveral: true })
    const perModel = await subscribe('tokens_per_model')
    const graduated = await subscribe('graduated_total_tokens')
    subscriptions.set(customer, { perModel: perModel.id, graduated: graduated.id })
  }
  return subscriptions
}

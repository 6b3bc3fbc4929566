import type { FieldProblem, FieldsOf, RefusalRows } from './refusal-row.ts'

/** Refusals about what providers charge for their models. */
export const MODEL_COST_REFUSALS = {
  invalid_model_cost: {
    status: 422,
    means: 'A rate, factor or condition of a model cost is wrong, or two rates fit equally.',
    next: 'Correct the field that `errors` names.',
    detail: (_fields: Readonly<Record<never, never>>, errors: readonly FieldProblem[]) =>
      `the model cost is not kept: ${errors[0]?.detail ?? 'a field is wrong'}${errors.length > 1 ? ` (and ${errors.length - 1} more, see errors)` : ''}.`,
  },
  alias_taken: {
    status: 422,
    means: 'Another model has the alias already.',
    next: 'Take another alias, or take it off the other model first.',
    detail: ({ alias, model }: { alias: string; model: string }) =>
      `the alias '${alias}' is of model '${model}' already; take it off there first.`,
  },
  other_cost_currency: {
    status: 422,
    means: 'Model costs of a tenant are in one currency.',
    next: 'Give the amounts in the currency of the others.',
    detail: ({ currency, is }: { currency: string; is: string }) =>
      `model costs of this tenant are in ${is}, and this one is in ${currency}.`,
  },
  reason_missing: {
    status: 422,
    means: 'A cost that holds from a time in the past needs a reason.',
    next: 'Say why in `reason`.',
    detail: ({ from }: { from: string }) => `effectiveFrom ${from} is in the past: say why in reason. Stamps of events stay as they are.`,
  },
  unknown_model_cost: {
    status: 404,
    means: 'No cost of this model is in force at the time asked for.',
    next: 'Put one with `PUT /v1/model-costs/{provider}/{model}`, or ask for another time with `at`.',
    detail: ({ provider, model }: { provider: string; model: string }) =>
      `there is no cost of ${provider}/${model} in force then; PUT /v1/model-costs/${encodeURIComponent(provider)}/${encodeURIComponent(model)} makes one.`,
  },
  too_many_model_costs: {
    status: 409,
    means: 'The table of model costs is full.',
    next: 'Keep to the models that you use.',
    detail: ({ revisionsMax }: { revisionsMax: number }) => `the table has ${revisionsMax} revisions, which is the limit.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof MODEL_COST_REFUSALS> {}
}

import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about meters, features, products, plans, customers: what they name must exist, and what reads them must keep working. */
export const CATALOG_REFUSALS = {
  unknown_meter: {
    status: 404,
    means: 'No meter has this key.',
    next: 'Create it with `PUT /v1/meters/{key}`.',
    detail: ({ meter }: { meter: string }) => sayUnknown('meter', meter),
  },
  unknown_feature: {
    status: 404,
    means: 'No feature has this key.',
    next: 'Create it with `PUT /v1/features/{key}`.',
    detail: ({ feature }: { feature: string }) => sayUnknown('feature', feature),
  },
  unknown_product: {
    status: 404,
    means: 'No product has this key.',
    next: 'Create it with `PUT /v1/products/{key}`.',
    detail: ({ product }: { product: string }) => sayUnknown('product', product),
  },
  unknown_plan: {
    status: 404,
    means: 'No plan has this key, or not this version.',
    next: 'Create it with `PUT /v1/plans/{key}`.',
    detail: ({ plan }: { plan: string }) => sayUnknown('plan', plan),
  },
  unknown_customer: {
    status: 404,
    means: 'No customer has this key.',
    next: 'Create it with `PUT /v1/customers/{key}`.',
    detail: ({ customer }: { customer: string }) => sayUnknown('customer', customer),
  },
  customer_adopted: {
    status: 409,
    means: 'The key is that of a customer which another one has adopted.',
    next: 'Use another key; events with this one are its adopter’s.',
    detail: ({ customer, adopter }: { customer: string; adopter: string }) =>
      `customer ${customer} was adopted by ${adopter}, whose usage its events are; use another key.`,
  },
  not_adoptable: {
    status: 409,
    means: 'Only a customer of which nothing but usage is known can be adopted: no name, subjects, subscriptions, entitlements or grants.',
    next: 'Adopt a customer that has appeared by itself.',
    detail: ({ customer }: { customer: string }) =>
      `customer ${customer} is more than its usage (it has details, subjects, subscriptions, entitlements or grants); only one that has appeared by itself can be adopted.`,
  },
  archived: {
    status: 409,
    means: 'What is archived is not sold or attached anew; what exists goes on.',
    next: 'Take another one, or unarchive it with `POST /v1/{customers|features|products|plans}/{key}/unarchive`.',
    detail: ({ kind, key, archivedMs }: Archived) =>
      `${kind} ${key} is archived since ${new Date(archivedMs).toISOString()}; take another one, or unarchive it with POST /v1/${kind}s/${encodeURIComponent(key)}/unarchive.`,
  },
  meter_in_use: {
    status: 409,
    means: 'A feature reads the meter, so it cannot be deleted.',
    next: 'Point the feature at another meter first.',
    detail: ({ meter, feature }: { meter: string; feature: string }) =>
      `meter ${meter} is read by feature ${feature}; point the feature at another meter first.`,
  },
  dimension_in_use: {
    status: 409,
    means: 'A feature or a charge filters on a dimension that the meter would no longer have.',
    next: 'Keep the dimension, or use a meter with another key.',
    detail: ({ user, dimension, meter, dimensions }: DimensionInUse) => {
      const who = 'charge' in user ? `charge ${user.charge} of plan ${user.plan}` : `feature ${user.feature}`
      return `${who} filters on dimension ${dimension}, and meter ${meter} would have ${dimensions.join(', ') || 'none'}; keep the dimension, or use a meter with another key.`
    },
  },
  feature_type_fixed: {
    status: 409,
    means: 'The type of a feature stays as it was made.',
    next: 'Make a feature with another key.',
    detail: ({ feature, type, wanted }: { feature: string; type: string; wanted: string }) =>
      `feature ${feature} is ${type} and plans rely on that, so it cannot become ${wanted}; make a feature with another key.`,
  },
  subject_taken: {
    status: 409,
    means: 'Another customer has this key or subject, and events on it can count for one customer only.',
    next: 'Take the subject from the other customer first.',
    detail: ({ name, subjectOf }: { name: string; subjectOf: string | null }) => {
      const owner = subjectOf === null ? 'is the key of another customer' : `is a subject of customer ${subjectOf}`
      return `${name} ${owner}; events on it can count for one customer only.`
    },
  },
  metadata_too_large: {
    status: 400,
    means: 'The metadata of a customer is too large.',
    next: 'Keep the rest where it is from.',
    detail: ({ characters, charactersMax }: { characters: number; charactersMax: number }) =>
      `metadata is ${characters} characters of JSON, and ${charactersMax} is the limit; keep the rest where it is from.`,
  },
  invalid_meter: wrongField('The meter cannot be what the body says.'),
  reserved_type: {
    ...wrongField("The event type is one of Tollgate's own.", 'Use another type, or report usage with `POST /v1/usage`.'),
    detail: ({ type, prefix }: { type: string; prefix: string }) =>
      `type ${type} starts with "${prefix}", which is Tollgate's own. Send another type, or report usage with POST /v1/usage.`,
  },
  value_not_taken: wrongField('A value stands where none is read.', 'Leave it out.'),
  duplicate: wrongField('The same property is named twice.', 'Name it once.'),
  invalid_expression: wrongField('An expression or a path does not parse.', 'Correct it at the column that `detail` names.'),
  invalid_dimension_name: wrongField('A dimension has a name that is taken or has other characters than A-Z a-z 0-9 _.'),
  invalid_feature: wrongField('The feature cannot be what the body says.'),
  not_metered: wrongField('A field is for metered features, and this one is not.', 'Leave it out.'),
  unknown_dimension: wrongField('The meter has no such dimension.', 'Use one that `detail` names, or add it to the meter.'),
  invalid_base_fee: wrongField('The base fee is not an exact amount from 0.'),
  duplicate_key: wrongField('Two charges of a plan have the same key.', 'Give each its own.'),
  duplicate_feature: wrongField('Two entitlements of a plan are to the same feature.', 'Keep one of them.'),
  invalid_value: wrongField('The value of an entitlement does not fit the type of its feature.'),
  rollover_without_limit: wrongField('What is unlimited leaves nothing to roll over.', 'Give a limit, or no rollover.'),
  invalid_percent: wrongField('A percentage is not from 0 to 100.'),
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof CATALOG_REFUSALS> {}
}

type Archived = { readonly kind: 'customer' | 'feature' | 'product' | 'plan'; readonly key: string; readonly archivedMs: number }

type DimensionInUse = {
  readonly user: { readonly feature: string } | { readonly plan: string; readonly charge: string }
  readonly dimension: string
  readonly meter: string
  /** The dimensions that the meter would have. */
  readonly dimensions: readonly string[]
}

function sayUnknown(kind: string, key: string): string {
  return `There is no ${kind} ${key}; create it with PUT /v1/${kind}s/${encodeURIComponent(key)}.`
}

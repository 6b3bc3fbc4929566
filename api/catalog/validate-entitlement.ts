import type { Static } from 'typebox'
import type { Entitlement, Feature } from '../../domain/catalog/plan.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { OverrideTerms } from '../../domain/entitlements/entitlement-override.ts'
import type { Outcome } from '../../domain/refusal.ts'
import type { OverrideInputSchema } from '../../schemas/http/allowance.ts'
import type { PlanInputSchema } from '../../schemas/http/catalog.ts'
import { createErrorList, type ErrorList } from '../error-list.ts'
import { refuseWrongFields } from '../wrong-fields.ts'

type TermsInput = Omit<NonNullable<Static<typeof PlanInputSchema>['entitlements']>[number], 'feature'>

/** The terms with every number in its shortest decimal form; problems are added to `errors`, each field after `prefix`. */
export function validateEntitlement(input: TermsInput, feature: Feature, prefix: string, errors: ErrorList): Entitlement {
  if (feature.type !== 'metered') return readUnmetered(input, feature, prefix, errors)
  if (input.value !== undefined && input.value !== null) {
    errors.add(`${prefix}value`, 'value_not_taken', `${prefix}value is for boolean and config features, and ${feature.key} is metered`)
  }
  return {
    feature: feature.key,
    limit: input.limit == null ? null : readUnits(input.limit, `${prefix}limit`, errors),
    limitType: input.limitType ?? 'hard',
    reset: input.reset ?? 'interval',
    anchor: input.anchor ?? 'subscription',
    rollover: readRollover(input, prefix, errors),
    ...policyOf(input),
    value: null,
  }
}

/** As for a plan, but missing parts of the reset schedule come from the plan. */
export function validateOverride(input: Static<typeof OverrideInputSchema>, feature: Feature): Outcome<OverrideTerms> {
  const errors = createErrorList()
  const terms = validateEntitlement(input, feature, '', errors)
  return refuseWrongFields(errors.fields, errors.code()) ?? { ...terms, reset: input.reset ?? null, anchor: input.anchor ?? null }
}

const METERED_ONLY = ['limit', 'limitType', 'reset', 'anchor', 'rollover'] as const

function readUnmetered(input: TermsInput, feature: Feature, prefix: string, errors: ErrorList): Entitlement {
  for (const name of METERED_ONLY) {
    if (input[name] === undefined || input[name] === null) continue
    errors.add(`${prefix}${name}`, 'not_metered', `${prefix}${name} is for metered features, and ${feature.key} is ${feature.type}`)
  }
  const { value } = input
  const shown = JSON.stringify(value)?.slice(0, SHOWN_CHARACTERS_MAX)
  if (feature.type === 'boolean' && value !== undefined && typeof value !== 'boolean') {
    errors.add(`${prefix}value`, 'invalid_value', `${prefix}value must be true or false as ${feature.key} is boolean, was ${shown}`)
  }
  if (feature.type === 'config' && (value === undefined || value === null)) {
    errors.add(`${prefix}value`, 'missing', `${prefix}value is missing: ${feature.key} is config and needs one`)
  }
  // These types have no limit and related fields, which hold what "no limit" is.
  return {
    feature: feature.key,
    limit: null,
    limitType: 'soft',
    reset: 'never',
    anchor: 'subscription',
    rollover: null,
    ...policyOf(input),
    value: value ?? true,
  }
}

const SHOWN_CHARACTERS_MAX = 64

function readRollover({ rollover, limit }: TermsInput, prefix: string, errors: ErrorList): Entitlement['rollover'] {
  if (rollover === undefined || rollover === null) return null
  if (limit === undefined || limit === null) {
    errors.add(
      `${prefix}rollover`,
      'rollover_without_limit',
      `${prefix}rollover needs a limit: what is unlimited leaves nothing to roll over`,
    )
  }
  const percent = readUnits(rollover.percent, `${prefix}rollover.percent`, errors)
  if ((parseQuantity(percent) ?? 0n) > PERCENT_MAX_NANO) {
    errors.add(`${prefix}rollover.percent`, 'invalid_percent', `${prefix}rollover.percent must be 0 to 100, was ${percent}`)
  }
  return { percent, max: rollover.max == null ? null : readUnits(rollover.max, `${prefix}rollover.max`, errors) }
}

const PERCENT_MAX_NANO = 100_000_000_000n

function readUnits(input: string | number, field: string, errors: ErrorList): string {
  const nano = parseQuantity(input)
  if (nano !== null && nano >= 0n) return formatQuantity(nano)
  const rule = 'must be an exact decimal from 0 to below 10^20 with at most 9 fractional digits'
  errors.add(field, 'invalid_quantity', `${field} ${rule}, was ${JSON.stringify(input)}`)
  return '0'
}

function policyOf({ onUncertain }: TermsInput): Pick<Entitlement, 'onUncertain'> {
  return onUncertain === undefined || onUncertain === null ? {} : { onUncertain }
}

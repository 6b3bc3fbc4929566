import type { BillingSettingsStore } from '../../adapters/database/billing-settings/billing-settings-store.ts'
import type { TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import { TENANT_BILLING_SETTINGS_DEFAULT, type TenantBillingSettings } from '../../domain/billing/billing-settings.ts'
import { type CreditUnit, isUnitAmount } from '../../domain/billing/credit-unit.ts'
import { currencyOf } from '../../domain/billing/money.ts'
import { isRefusal, type Outcome, orThrow, RefusalError, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { BillingSettingsInputSchema, BillingSettingsSchema } from '../../schemas/http/billing-settings.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

export type BillingSettingsRoutesDeps = { readonly settings: BillingSettingsStore; readonly taxRates: Pick<TaxRateStore, 'get'> }

export function billingSettingsRoutes({ settings, taxRates }: BillingSettingsRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/billing-settings', { config: { scope: 'admin' }, schema: PUT_SETTINGS }, async (request) => {
      const { tenant } = request.principal
      const put: TenantBillingSettings = { ...TENANT_BILLING_SETTINGS_DEFAULT, ...request.body }
      for (const [index, key] of put.taxRates.entries()) {
        if ((await taxRates.get(tenant, key)) !== null) continue
        throw new RefusalError(refuseField(`taxRates[${index}]`, refuse('unknown_tax_rate', { taxRate: key })))
      }
      orThrow(refuseWrongUnit(put.creditUnit))
      await settings.put(tenant, put)
      return settingsJson(put)
    })
    app.get('/v1/billing-settings', { config: { scope: 'read' }, schema: GET_SETTINGS }, async (request) =>
      settingsJson(await settings.get(request.principal.tenant)),
    )
  }
}

function refuseWrongUnit(unit: CreditUnit | null): Outcome<null> {
  if (unit === null) return null
  const currency = currencyOf(unit.currency)
  if (isRefusal(currency)) return refuseField('creditUnit.currency', currency)
  if (isUnitAmount(unit.amount)) return null
  const detail = `creditUnit.amount must be above 0 with at most 12 fractional digits, was ${unit.amount}`
  return refuseFields('invalid_amount', [{ field: 'creditUnit.amount', code: 'invalid_amount', detail }])
}

function settingsJson(settings: TenantBillingSettings) {
  return {
    ...settings,
    taxRates: [...settings.taxRates],
    seller: settings.seller === null ? null : { ...settings.seller },
    creditUnit: settings.creditUnit === null ? null : { ...settings.creditUnit },
  }
}

const TAGS = { tags: ['billing settings'] }

const PUT_SETTINGS = {
  ...TAGS,
  operationId: 'putBillingSettings',
  summary: 'How this tenant bills; what is left out has its default',
  description: 'Reaches documents that are not final yet.',
  body: BillingSettingsInputSchema,
  response: { 200: BillingSettingsSchema, ...REFUSALS },
}
const GET_SETTINGS = {
  ...TAGS,
  operationId: 'getBillingSettings',
  summary: 'How this tenant bills',
  response: { 200: BillingSettingsSchema, ...REFUSALS },
}

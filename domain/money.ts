import { formatDecimal, parseDecimal } from './decimal.ts'
import { type Outcome, refuse } from './refusal.ts'

/** Fractional digits of a currency's minor unit after ISO 4217: 2 for USD, 0 for JPY, 3 for KWD. Refuses `unknown_currency`. */
export function minorUnitDigits(currency: string): Outcome<number> {
  if (!CURRENCIES.has(currency)) {
    return refuse('unknown_currency', { currency })
  }
  return MINOR_UNIT_DIGITS[currency] ?? 2
}

/** Money in minor units, with all digits of its currency: 1250n is '12.50' with two digits and '1250' with none. */
export function formatMoney(minorUnits: bigint, fractionDigits: number): string {
  const [integer, fraction = ''] = formatDecimal(minorUnits, fractionDigits).split('.')
  return fractionDigits === 0 ? `${integer}` : `${integer}.${fraction.padEnd(fractionDigits, '0')}`
}

/** Amounts of prices and base fees are finer than payable money: up to 12 fractional digits, below 10^15. */
export const AMOUNT_FRACTION_DIGITS_MAX = 12
export const AMOUNT_INTEGER_DIGITS_MAX = 15

/** An amount in 10^-12 of the currency's major unit, or null unless it is an exact decimal within the bounds above. */
export function parseAmount(input: string | number): bigint | null {
  return parseDecimal(input, AMOUNT_INTEGER_DIGITS_MAX, AMOUNT_FRACTION_DIGITS_MAX)
}

export function formatAmount(pico: bigint): string {
  return formatDecimal(pico, AMOUNT_FRACTION_DIGITS_MAX)
}

/**
 * ISO 4217, list one (2024), without codes that have no minor unit (gold, testing). Written out as Intl's list differs
 * from one Node to another.
 */
const CURRENCIES: ReadonlySet<string> = new Set(
  `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
  CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
  ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR
  MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
  SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD
  XCG XOF XPF YER ZAR ZMW ZWG`.split(/\s+/),
)

/**
 * Every listed currency whose minor unit is not a hundredth. Not taken from Intl.NumberFormat, which says how cash is shown:
 * without fillér in HUF or sen in IDR, which an invoice must keep.
 */
const MINOR_UNIT_DIGITS: Readonly<Record<string, number>> = {
  ...digits(0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'),
  ...digits(3, 'BHD IQD JOD KWD LYD OMR TND'),
  ...digits(4, 'CLF UYW'),
}

function digits(count: number, currencies: string): Readonly<Record<string, number>> {
  return Object.fromEntries(currencies.split(' ').map((currency) => [currency, count]))
}

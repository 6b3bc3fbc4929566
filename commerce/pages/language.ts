import { type Currency, type Money, moneyText } from '../../domain/billing/money.ts'
import { DE } from './texts/de.ts'
import { EN, type Texts } from './texts/en.ts'

/** The texts of a page in one language, and how it writes amounts. */
export type Language = {
  readonly code: string
  say(name: keyof Texts, fill?: Readonly<Record<string, string>>): string
  /** All digits of the currency, which stands behind it. */
  money(currency: Currency, amount: Money): string
}

const LANGUAGES: readonly Texts[] = [EN, DE]

/** The first language of `Accept-Language` that there is; English when there is none. */
export function languageOf(acceptLanguage: string | undefined): Language {
  const wanted = (acceptLanguage ?? '')
    .slice(0, ACCEPT_CHARACTERS_MAX)
    .split(',')
    .map((part) => part.split(';', 1)[0]?.trim().slice(0, 2).toLowerCase())
  const texts = wanted.flatMap((code) => LANGUAGES.find(({ language }) => language === code) ?? [])[0] ?? EN
  return {
    code: texts.language,
    say: (name, fill = {}) => texts[name].replaceAll(/\{(\w+)\}/g, (whole, key: string) => fill[key] ?? whole),
    money: (currency, amount) => {
      // A decimal text is written exactly, with any number of digits.
      const digits = { minimumFractionDigits: currency.digits, maximumFractionDigits: currency.digits }
      const text = new Intl.NumberFormat(texts.language, digits).format(moneyText(currency, amount) as `${number}`)
      return `${text} ${currency.code}`
    },
  }
}

const ACCEPT_CHARACTERS_MAX = 200

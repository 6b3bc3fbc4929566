import { isAddressRange } from '../../base/address-range.ts'
import { isBrokenKeyText } from '../http/keys/key-text.ts'

/** The roles of a process; `runtime/stages.ts` has the stages of each. */
export const ROLES = ['ingest', 'aggregator', 'api', 'billing', 'alerts', 'commerce'] as const
export type Role = (typeof ROLES)[number]

/** One line of the configuration table. `default` null means that the setting is off unless given. */
export type Setting<Value> = {
  readonly name: string
  readonly default: Value
  readonly meaning: string
  /** Never shown or logged. */
  readonly isSecret: boolean
  parse(given: string): Parsed<Value>
  /** The value as a person reads it, without passwords. */
  show(value: Value): string
}

export type Parsed<Value> = { readonly value: Value } | { readonly problem: string }

export function text(name: string, defaultText: string, meaning: string): Setting<string> {
  return { name, default: defaultText, meaning, isSecret: false, parse: (given) => ({ value: given }), show: (value) => value }
}

export function optionalText(
  name: string,
  meaning: string,
  options: { isSecret?: boolean; minCharacters?: number } = {},
): Setting<string | null> {
  const { isSecret = false, minCharacters = 1 } = options
  return {
    name,
    default: null,
    meaning,
    isSecret,
    parse: (given) => (given.length < minCharacters ? { problem: `must have at least ${minCharacters} characters` } : { value: given }),
    show: (value) => (value === null ? '' : isSecret ? '(set)' : value),
  }
}

export function optionalWholeNumber(name: string, bounds: { min: number; max: number }, meaning: string): Setting<number | null> {
  const { parse } = wholeNumber(name, bounds.min, bounds, meaning)
  return { name, default: null, meaning, isSecret: false, parse, show: (value) => value?.toString() ?? '' }
}

/** IP addresses and networks, separated by commas. */
export function addresses(name: string, meaning: string): Setting<readonly string[]> {
  return {
    name,
    default: [],
    meaning,
    isSecret: false,
    parse(given) {
      const value = given.split(',').map((each) => each.trim())
      const wrong = value.find((each) => !isAddressRange(each))
      return wrong === undefined ? { value } : { problem: `must be IP addresses or networks such as 10.0.0.0/8, and '${wrong}' is none` }
    },
    show: (value) => value.join(','),
  }
}

export function wholeNumber(name: string, defaultNumber: number, bounds: { min: number; max: number }, meaning: string): Setting<number> {
  const problem = `must be a whole number from ${bounds.min} to ${bounds.max}`
  return {
    name,
    default: defaultNumber,
    meaning,
    isSecret: false,
    parse(given) {
      const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN
      return value >= bounds.min && value <= bounds.max ? { value } : { problem }
    },
    show: String,
  }
}

export function oneOf<const Choice extends string>(
  name: string,
  choices: readonly Choice[],
  defaultChoice: NoInfer<Choice>,
  meaning: string,
): Setting<Choice> {
  return {
    name,
    default: defaultChoice,
    meaning: `${meaning}: ${choices.join(', ')}`,
    isSecret: false,
    parse(given) {
      const value = choices.find((choice) => choice === given)
      return value === undefined ? { problem: `must be one of ${choices.join(', ')}` } : { value }
    },
    show: (value) => value,
  }
}

export function roles(name: string, defaultRoles: readonly Role[], meaning: string): Setting<readonly Role[]> {
  return {
    name,
    default: defaultRoles,
    meaning: `${meaning}: any of ${ROLES.join(', ')}`,
    isSecret: false,
    parse: parseRoles,
    show: (value) => value.join(','),
  }
}

function parseRoles(given: string): Parsed<readonly Role[]> {
  const names = given.split(',').map((each) => each.trim())
  const unknown = names.filter((each) => !ROLES.some((role) => role === each))
  if (unknown.length > 0) return { problem: `must be some of ${ROLES.join(', ')}, separated by commas` }
  return { value: ROLES.filter((role) => names.includes(role)) }
}

export function url(name: string, protocols: readonly string[], meaning: string): Setting<string | null> {
  return {
    name,
    default: null,
    meaning,
    // A URL may carry a password, so a wrong one is not repeated in the problem.
    isSecret: true,
    parse(given) {
      const protocol = URL.canParse(given) ? new URL(given).protocol.slice(0, -1) : ''
      if (protocols.includes(protocol) && EXAMPLE_TEXT.test(new URL(given).password)) {
        return { problem: 'has a password for examples; set one of your own' }
      }
      return protocols.includes(protocol)
        ? { value: given }
        : { problem: `must be a URL that begins with ${protocols.map((each) => `${each}://`).join(' or ')}` }
    },
    show: (value) => (value === null ? '' : withoutPassword(value)),
  }
}

/** A URL without what may be secret: its password, and every query value except those of names that never carry a secret. */
export function withoutPassword(given: string): string {
  const parsed = new URL(given)
  if (parsed.password !== '') parsed.password = MASK
  for (const name of parsed.searchParams.keys()) if (!OPEN_PARAMETERS.has(name.toLowerCase())) parsed.searchParams.set(name, MASK)
  return parsed.toString()
}

const MASK = '***'
const OPEN_PARAMETERS = new Set([
  'application_name',
  'connect_timeout',
  'database',
  'db',
  'dbname',
  'host',
  'port',
  'sslmode',
  'user',
  'username',
])

/** An attacker finds a secret that is made up or copied from a page: it must not be an example, nor a few characters repeated. */
export function secret(name: string, meaning: string, minCharacters: number): Setting<string | null> {
  const plain = optionalText(name, meaning, { isSecret: true, minCharacters })
  return {
    ...plain,
    parse(given) {
      const parsed = plain.parse(given)
      if ('problem' in parsed) return parsed
      if (isBrokenKeyText(given)) return { problem: 'begins like a key of Tollgate and is none: it is mistyped or cut off' }
      if (EXAMPLE_TEXT.test(given)) return { problem: 'is a text for examples; make one with `openssl rand -hex 24`' }
      if (!/^[\x21-\x7e]+$/.test(given))
        return { problem: 'must have printable ASCII characters only and no blanks, as it goes into a header' }
      return new Set(given).size < DISTINCT_CHARACTERS_MIN
        ? { problem: `must have at least ${DISTINCT_CHARACTERS_MIN} different characters; make one with \`openssl rand -hex 24\`` }
        : parsed
    },
  }
}

const EXAMPLE_TEXT = /replace[-_ ]?(me|this)|change[-_ ]?(me|this|it)|example|your[-_ ]?(key|secret|password)|placeholder|at-least-16/i
const DISTINCT_CHARACTERS_MIN = 8

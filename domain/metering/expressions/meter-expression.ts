import { type ExactNumber, readNumber } from '../number-text.ts'
import { EXPRESSION_BOUNDS } from './expression-bounds.ts'
import type { PropertyPath } from './property-path.ts'

/** What a meter reads from an event: properties of its data, decimal constants, and the arithmetic on them. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: ExactNumber }
  | { readonly kind: 'property'; readonly path: PropertyPath }
  | { readonly kind: 'add' | 'subtract' | 'multiply'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'negate'; readonly of: Expression }
  | { readonly kind: FunctionName; readonly of: readonly Expression[] }

export const FUNCTION_NAMES = ['max', 'coalesce'] as const
export type FunctionName = (typeof FUNCTION_NAMES)[number]

/** Why a text is no expression; `column` counts characters from 1. */
export type SyntaxDefect = { readonly column: number; readonly problem: string }

export const EXPRESSION_CHARS_MAX = EXPRESSION_BOUNDS.characters.most
export const EXPRESSION_DEPTH_MAX = EXPRESSION_BOUNDS.depth.most
/** The most properties and constants multiplied with each other, so that the digits of a product are bounded. */
export const FACTORS_MAX = EXPRESSION_BOUNDS.factors.most

/**
 * Parses `usage.prompt_tokens - coalesce(usage.prompt_tokens_details.cached_tokens, 0)` and the like:
 *
 *     sum     = product (("+" | "-") product)*          factor = "-" factor | "(" sum ")" | number | path
 *     product = factor ("*" factor)*                           | ("max" | "coalesce") "(" sum ("," sum)* ")"
 *     path    = ["$."] step ("." name | "[" quoted "]" | "[" digits "]")*      step = name | "[" quoted "]"
 *
 * A name is letters, digits and `_ $ @ : #`. A minus between two names without a blank could be part of one, and is refused.
 */
export function parseExpression(text: string): Expression | SyntaxDefect {
  const expression = parsed(text, false, (parser) => parser.sum())
  if (isSyntaxDefect(expression) || namesProperty(expression)) return expression
  return { column: 1, problem: 'names no property, and would be the same for every event' }
}

/** One path, or `coalesce` of several: for values that are compared or told apart as text. Names may have a minus in them. */
export function parseTextExpression(text: string): readonly PropertyPath[] | SyntaxDefect {
  return parsed(text, true, (parser) => parser.paths())
}

/** One path. Names may have a minus in them. */
export function parsePath(text: string): PropertyPath | SyntaxDefect {
  return parsed(text, true, (parser) => parser.path())
}

export function isSyntaxDefect(parsed: object): parsed is SyntaxDefect {
  return 'problem' in parsed
}

class DefectFound extends Error {
  readonly defect: SyntaxDefect
  constructor(defect: SyntaxDefect) {
    super(defect.problem)
    this.defect = defect
  }
}

type Parser = { sum(): Expression; path(): PropertyPath; paths(): readonly PropertyPath[] }

function parsed<Result>(text: string, isMinusInNames: boolean, parse: (parser: Parser & { end(): void }) => Result): Result | SyntaxDefect {
  try {
    if (text.length > EXPRESSION_CHARS_MAX)
      return { column: EXPRESSION_CHARS_MAX + 1, problem: `is longer than ${EXPRESSION_CHARS_MAX} characters` }
    const parser = createParser(text, isMinusInNames)
    const result = parse(parser)
    parser.end()
    return result
  } catch (error) {
    if (error instanceof DefectFound) return error.defect
    throw error
  }
}

function createParser(text: string, isMinusInNames: boolean): Parser & { end(): void } {
  const name = isMinusInNames ? NAME_WITH_MINUS : NAME
  let at = 0
  let depth = 0

  function fail(problem: string, where = at): never {
    throw new DefectFound({ column: where + 1, problem })
  }

  function skipBlanks(): void {
    at = matchEnd(BLANKS, at)
  }

  function matchEnd(pattern: RegExp, from: number): number {
    pattern.lastIndex = from
    return pattern.test(text) ? pattern.lastIndex : from
  }

  function taken(token: string): boolean {
    skipBlanks()
    if (!text.startsWith(token, at)) return false
    at += token.length
    return true
  }

  function expect(token: string, why: string): void {
    if (!taken(token)) fail(`${found()} where ${why} '${token}'`)
  }

  function found(): string {
    if (at >= text.length) return 'ends'
    return `has '${String.fromCodePoint(text.codePointAt(at) ?? 0)}'`
  }

  function nested<Result>(parse: () => Result): Result {
    if (++depth > EXPRESSION_DEPTH_MAX) fail(`is nested more than ${EXPRESSION_DEPTH_MAX} deep`)
    const result = parse()
    depth--
    return result
  }

  function sum(): Expression {
    let left = product()
    for (;;) {
      const kind = taken('+') ? 'add' : taken('-') ? 'subtract' : null
      if (kind === null) return left
      left = { kind, left, right: product() }
    }
  }

  function product(): Expression {
    const from = at
    let left = factor()
    while (taken('*')) {
      left = { kind: 'multiply', left, right: factor() }
      if (factorsOf(left) > FACTORS_MAX) fail(`multiplies more than ${FACTORS_MAX} properties and constants`, from)
    }
    return left
  }

  function factor(): Expression {
    if (taken('-')) return { kind: 'negate', of: nested(factor) }
    if (taken('(')) {
      const inner = nested(sum)
      expect(')', 'what was opened ends with')
      return inner
    }
    const called = functionName()
    if (called !== null) return { kind: called, of: functionArguments(sum) }
    const numberEnd = matchEnd(NUMBER, at)
    return numberEnd > at ? constant(numberEnd) : { kind: 'property', path: path() }
  }

  function constant(end: number): Expression {
    const value = readNumber(text.slice(at, end))
    if (typeof value === 'string') return fail(`has the constant ${text.slice(at, end)}, which is beyond 20 digits`)
    if (matchEnd(name, end) > end) fail(`has a name that begins with a digit; put it in quotes: ["${text.slice(at, matchEnd(name, end))}"]`)
    at = end
    return { kind: 'constant', value }
  }

  function functionName(): FunctionName | null {
    skipBlanks()
    const end = matchEnd(NAME, at)
    const word = text.slice(at, end)
    if (end === at || text[matchEnd(BLANKS, end)] !== '(') return null
    const known = FUNCTION_NAMES.find((each) => each === word)
    if (known === undefined) fail(`calls '${word}', and only ${FUNCTION_NAMES.join(' and ')} can be called`)
    at = end
    return known ?? null
  }

  function functionArguments<Argument>(argument: () => Argument): Argument[] {
    expect('(', 'arguments begin with')
    const all = [nested(argument)]
    while (taken(',')) all.push(nested(argument))
    expect(')', 'arguments end with')
    return all
  }

  function path(): PropertyPath {
    skipBlanks()
    if (text.startsWith('$.', at)) at += 2
    else if (text.startsWith('$[', at)) at += 1
    const from = at
    let isDotted = text[at] !== '['
    const steps = [isDotted ? nameStep() : quotedStep()]
    for (;;) {
      if (text[at] === '.') {
        at++
        steps.push(nameStep())
      } else if (text[at] === '[') {
        isDotted = false
        steps.push(quotedStep())
      } else break
    }
    if (!isMinusInNames && text[at] === '-' && isDotted && matchEnd(NAME, at + 1) > at + 1) {
      const whole = text.slice(from, matchEnd(NAME_WITH_MINUS, at))
      fail(`could be a name with a minus in it or a subtraction; write ["${whole}"] for the one, and blanks around the minus for the other`)
    }
    return { wholeName: isDotted ? text.slice(from, at) : null, steps }
  }

  function nameStep(): string {
    const end = matchEnd(name, at)
    if (end === at) fail(`${found()} where the name of a property is expected${hint(text[at])}`)
    const step = text.slice(at, end)
    at = end
    return step
  }

  /** `["any text"]`, `['any text']`, or `[0]` for an element of an array. */
  function quotedStep(): string {
    const from = at++
    const index = matchEnd(DIGITS, at)
    let step = text.slice(at, index)
    if (index > at) at = index
    else step = quotedText(from)
    if (text[at] !== ']') fail(`has '[' without ']'`, from)
    at++
    return step
  }

  function quotedText(from: number): string {
    const quote = text[at]
    if (quote !== '"' && quote !== "'") fail('needs the name in quotes after the bracket: ["name"]', from)
    let step = ''
    for (at++; text[at] !== quote; at++) {
      if (text[at] === '\\') at++
      if (at >= text.length) fail('has a quote without its end', from)
      step += text[at]
    }
    at++
    return step
  }

  function paths(): readonly PropertyPath[] {
    const from = at
    const called = functionName()
    if (called !== null && called !== 'coalesce') fail(`calls '${called}' where one property or coalesce of several is expected`, from)
    return called === null ? [path()] : functionArguments(path)
  }

  return {
    sum,
    path,
    paths,
    end() {
      skipBlanks()
      if (at < text.length) fail(`${found()} where it should end${hint(text[at])}`)
    },
  }
}

const NAME = /[\p{L}\p{M}\p{N}_$@:#]+/uy
const NAME_WITH_MINUS = /[\p{L}\p{M}\p{N}_$@:#-]+/uy
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const DIGITS = /\d+/y
const BLANKS = /[ \t]*/y

function hint(character: string | undefined): string {
  if (character === '/') return '; there is no division: multiply with a constant, such as 0.001'
  return character === undefined ? '' : '; a name with other characters stands in quotes, as in ["a name"]'
}

function factorsOf(expression: Expression): number {
  switch (expression.kind) {
    case 'constant':
    case 'property':
      return 1
    case 'multiply':
      return factorsOf(expression.left) + factorsOf(expression.right)
    case 'add':
    case 'subtract':
      return Math.max(factorsOf(expression.left), factorsOf(expression.right))
    case 'negate':
      return factorsOf(expression.of)
    default:
      return Math.max(...expression.of.map(factorsOf))
  }
}

function namesProperty(expression: Expression): boolean {
  switch (expression.kind) {
    case 'constant':
      return false
    case 'property':
      return true
    case 'negate':
      return namesProperty(expression.of)
    case 'max':
    case 'coalesce':
      return expression.of.some(namesProperty)
    default:
      return namesProperty(expression.left) || namesProperty(expression.right)
  }
}

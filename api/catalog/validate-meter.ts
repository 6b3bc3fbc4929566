import type { Static } from 'typebox'
import {
  isSyntaxDefect,
  parseExpression,
  parsePath,
  parseTextExpression,
  type SyntaxDefect,
} from '../../domain/metering/expressions/meter-expression.ts'
import type { MeterDefinition } from '../../domain/metering/meter.ts'
import { SERIES_BOUNDS } from '../../domain/metering/series.ts'
import { RESERVED_TYPE_PREFIX } from '../../domain/metering/usage-report.ts'
import type { FieldError, Outcome } from '../../domain/refusal.ts'
import type { MeterInputSchema } from '../../schemas/http/catalog.ts'
import { refuseWrongFields } from '../wrong-fields.ts'

type MeterInput = Static<typeof MeterInputSchema>

/** A meter that could never count is refused here, where somebody reads the answer: `invalid_meter`, with every wrong field. */
export function validateMeter(body: MeterInput): Outcome<MeterDefinition> {
  const { eventType, aggregation, dimensions = {} } = body
  const value = body.value === undefined ? [] : [body.value].flat()
  const errors: FieldError[] = []
  if (eventType.startsWith(RESERVED_TYPE_PREFIX)) {
    const detail = `eventType '${eventType}' is Tollgate's own: reported usage counts for the meter that it names, without being told`
    errors.push({ field: 'eventType', code: 'reserved_type', detail })
  }
  if (aggregation === 'count' && value.length > 0) {
    const detail = `count counts events and takes no value, was ${JSON.stringify(body.value)}`
    errors.push({ field: 'value', code: 'value_not_taken', detail })
  }
  if (aggregation !== 'count' && value.length === 0) {
    errors.push({ field: 'value', code: 'missing', detail: `value is missing: ${aggregation} needs the property that it reads` })
  }
  for (const [index, path] of value.entries()) {
    if (value.indexOf(path) === index) continue
    errors.push({
      field: `value[${index}]`,
      code: 'duplicate',
      detail: `value[${index}] names '${path}' again, which would be added twice`,
    })
  }
  for (const [field, defect] of syntaxDefects(body)) {
    const detail = `${field} at column ${defect.column}: it ${defect.problem}`
    errors.push({ field, code: 'invalid_expression', detail })
  }
  for (const name of Object.keys(dimensions)) {
    // 'customer' is the name for grouping usage by customer.
    if (DIMENSION_NAME.test(name) && name !== 'customer') continue
    const rule = name === 'customer' ? 'is taken: usage has it without being told' : 'must be 1 to 64 of A-Z a-z 0-9 _, not a digit first'
    errors.push({ field: `dimensions.${name}`, code: 'invalid_dimension_name', detail: `dimension name '${name.slice(0, 64)}' ${rule}` })
  }
  return refuseWrongFields(errors, 'invalid_meter') ?? { eventType, aggregation, value, dimensions, ...rulesOf(body) }
}

const DIMENSION_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

/** Only rules that differ from the defaults, so that stating a default is no change. */
function rulesOf({
  where,
  onInexact,
  allowNegative,
  seriesMax,
}: MeterInput): Pick<MeterDefinition, 'where' | 'onInexact' | 'allowNegative' | 'seriesMax'> {
  return {
    ...(where === undefined || Object.keys(where).length === 0 ? {} : { where }),
    ...(onInexact === 'refuse' ? { onInexact } : {}),
    ...(allowNegative === true ? { allowNegative } : {}),
    ...(seriesMax === undefined || seriesMax === SERIES_BOUNDS.series.most ? {} : { seriesMax }),
  }
}

function* syntaxDefects({ aggregation, value = [], dimensions = {}, where = {} }: MeterInput): Iterable<[field: string, SyntaxDefect]> {
  const parseValue = aggregation === 'unique' ? parseTextExpression : parseExpression
  for (const [index, text] of [value].flat().entries()) {
    yield* defectOf(typeof value === 'string' ? 'value' : `value[${index}]`, parseValue(text))
  }
  for (const [name, text] of Object.entries(dimensions)) yield* defectOf(`dimensions.${name}`, parseTextExpression(text))
  for (const path of Object.keys(where)) yield* defectOf(`where.${path.slice(0, 64).toWellFormed()}`, parsePath(path))
}

function* defectOf(field: string, parsed: object): Iterable<[field: string, SyntaxDefect]> {
  if (isSyntaxDefect(parsed)) yield [field, parsed]
}

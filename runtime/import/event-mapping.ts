/** Which column of a row becomes which part of an event. Columns of NDJSON may be nested, with dots. */
export type EventMapping = {
  /** The type of every event; `typeColumn` takes it from the row instead. */
  readonly type: string
  readonly source: string | null
  readonly idColumn: string
  readonly timeColumn: string | null
  readonly customerColumn: string
  readonly data: readonly DataColumn[]
}

export type DataType = 'string' | 'number' | 'boolean'
export type DataColumn = { readonly column: string; readonly type: DataType }

type RowRefusal = { readonly id: string | null; readonly code: string; readonly detail: string }

/** Parses `model,input_tokens:number`; throws with the reason when it is wrong. */
export function parseDataColumns(given: string): readonly DataColumn[] {
  return given.split(',').map((each) => {
    const [, column, type = 'string'] = /^\s*(.+?)(?::(string|number|boolean))?\s*$/.exec(each) ?? []
    if (column === undefined || /:[a-z]+$/.test(column)) {
      throw new Error(`--data ${given}: "${each.trim()}" is not COLUMN or COLUMN:string|number|boolean`)
    }
    return { column, type: type as DataType }
  })
}

/** The event as JSON text, or the reason why the row makes none. An empty cell makes no property. */
export function eventOfRow(row: Readonly<Record<string, unknown>>, mapping: EventMapping): string | RowRefusal {
  const id = cell(row, mapping.idColumn)
  const customer = cell(row, mapping.customerColumn)
  if (id === null) return { id, code: 'missing_id', detail: `column ${mapping.idColumn} is empty or not there` }
  if (customer === null) return { id, code: 'missing_customer', detail: `column ${mapping.customerColumn} is empty or not there` }
  const time = mapping.timeColumn === null ? null : cell(row, mapping.timeColumn)
  if (mapping.timeColumn !== null && time === null) {
    return { id, code: 'missing_time', detail: `column ${mapping.timeColumn} is empty or not there` }
  }
  const properties: string[] = []
  for (const { column, type } of mapping.data) {
    const text = cell(row, column)
    if (text === null) continue
    const value = jsonValue(text, type)
    if (value === null) return { id, code: 'invalid_value', detail: `column ${column} is "${text.slice(0, 64)}", not a ${type}` }
    properties.push(`${JSON.stringify(column)}:${value}`)
  }
  const fields = [`"id":${JSON.stringify(id)}`, `"type":${JSON.stringify(mapping.type)}`, `"customer":${JSON.stringify(customer)}`]
  if (mapping.source !== null) fields.push(`"source":${JSON.stringify(mapping.source)}`)
  if (time !== null) fields.push(`"time":${JSON.stringify(instantText(time))}`)
  return `{${fields.join(',')},"data":{${properties.join(',')}}}`
}

function cell(row: Readonly<Record<string, unknown>>, column: string): string | null {
  const value = Object.hasOwn(row, column) ? row[column] : nested(row, column.split('.'))
  if (value === undefined || value === null || value === '') return null
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function nested(row: unknown, path: readonly string[]): unknown {
  let value: unknown = row
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

/** A number is copied as it is written, digit for digit. */
function jsonValue(text: string, type: DataType): string | null {
  switch (type) {
    case 'string':
      return JSON.stringify(text)
    case 'number':
      return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? text : null
    case 'boolean':
      return text === 'true' || text === 'false' ? text : null
  }
}

/** `2023-11-16 18:17:03` is ISO 8601 but for the `T`; without a zone it is taken as UTC. */
function instantText(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d:?\d\d)?$/.exec(text)
  return match === null ? text : `${match[1]}T${match[2]}${match[3] ?? 'Z'}`
}

import { pathOf } from '../event-selection.ts'
import type { MeterDefinition } from '../meter.ts'
import { parsedTextPaths, parsedValue } from './compiled-meter.ts'
import type { Expression } from './meter-expression.ts'
import type { PropertyPath } from './property-path.ts'

/** Names of the top-level properties of an event's data that a meter reads. */
export function propertyNames({ aggregation, value, dimensions, where = {} }: MeterDefinition): ReadonlySet<string> {
  const valuePaths = value.flatMap((text) => (aggregation === 'unique' ? parsedTextPaths(text) : pathsIn(parsedValue(text))))
  const paths = [...valuePaths, ...Object.values(dimensions).flatMap(parsedTextPaths), ...Object.keys(where).map(pathOf)]
  return new Set(paths.flatMap(({ wholeName, steps: [first = ''] }) => (wholeName === null ? [first] : [first, wholeName])))
}

function pathsIn(expression: Expression): readonly PropertyPath[] {
  switch (expression.kind) {
    case 'constant':
      return []
    case 'property':
      return [expression.path]
    case 'negate':
      return pathsIn(expression.of)
    case 'max':
    case 'coalesce':
      return expression.of.flatMap(pathsIn)
    default:
      return [...pathsIn(expression.left), ...pathsIn(expression.right)]
  }
}

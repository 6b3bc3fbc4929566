import { isSyntaxDefect, parsePath } from './expressions/meter-expression.ts'
import { dottedPath, type PropertyPath, textAt, valueAt } from './expressions/property-path.ts'

/** Compared as dimensions are: numbers and booleans as their text, so that 200 equals '200'. */
export type Comparable = string | number | boolean

/** The condition on one property. Absent and null are the same: they do not exist, and equal nothing. */
export type PropertyCondition = { readonly equals: Comparable } | { readonly in: readonly Comparable[] } | { readonly exists: boolean }

/** Property path to condition; an event is selected when all hold. */
export type EventSelection = Readonly<Record<string, PropertyCondition>>

/** Prepares a selection for a stream of events. */
export function compileSelection(selection: EventSelection): (data: object) => boolean {
  const tests = Object.entries(selection).map(([path, condition]) => testOf(pathOf(path), condition))
  const [only] = tests
  return tests.length === 1 && only !== undefined ? only : (data) => tests.every((test) => test(data))
}

function testOf(path: PropertyPath, condition: PropertyCondition): (data: object) => boolean {
  if ('exists' in condition) return (data) => isThere(valueAt(data, path)) === condition.exists
  const texts = new Set(('in' in condition ? condition.in : [condition.equals]).map(String))
  return (data) => {
    const text = textAt(data, path)
    return text !== null && texts.has(text)
  }
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** A text that is no path by today's syntax is older than the syntax: every character is part of a name. */
export function pathOf(text: string): PropertyPath {
  const path = parsePath(text)
  return isSyntaxDefect(path) ? dottedPath(text) : path
}

import { FAULTS, type FaultRow } from './faults.ts'
import type { RefusalRows } from './refusals/refusal-row.ts'
import { REFUSAL_TABLES } from './refusals.ts'

/** A code in the error reference. `status` is null where the code is never an answer. */
export type ErrorEntry = { readonly code: string; readonly status: number | null; readonly means: string; readonly next: string }
export type ErrorSection = { readonly title: string; readonly entries: readonly ErrorEntry[] }

export const ERROR_REFERENCE_INTRO = [
  'Every error is `application/problem+json`: `{type, title, status, detail, code, errors?, requestId}`. Go by `code`, which is stable;',
  '`detail` says what happened, the value, the limit and the next move, and may be worded anew. `errors` names each wrong field of the',
  'request with a code of its own. A key that names nothing is 404 where it is what was asked for, and 400 where it is a field of the body.',
].join('\n')

/** Every code once, in the order of the tables. */
export function errorReference(): readonly ErrorSection[] {
  return [
    ...REFUSAL_TABLES.map(({ title, rows }) => ({ title, entries: entriesOf(rows) })),
    { title: 'The server cannot', entries: entriesOf(FAULTS) },
  ]
}

/** The text of `docs/errors.md`. */
export function errorReferenceMarkdown(): string {
  const sections = errorReference().map(({ title, entries }) =>
    [`## ${title}`, '', '| code | status | what it means | next move |', '| --- | --- | --- | --- |', ...entries.map(markdownRow)].join(
      '\n',
    ),
  )
  return `${['# Errors', ERROR_REFERENCE_INTRO, ...sections].join('\n\n')}\n`
}

function markdownRow({ code, status, means, next }: ErrorEntry): string {
  return `| \`${code}\` | ${status ?? 'at start'} | ${means} | ${next} |`
}

function entriesOf(rows: RefusalRows | Readonly<Record<string, FaultRow>>): readonly ErrorEntry[] {
  return Object.entries(rows).map(([code, { status, means, next }]) => ({ code, status, means, next }))
}

import type { BenchResults, PartResult } from './bench-results.ts'
import { budgetText, numberText } from './figure-table.ts'
import { type Figure, meetsBudget } from './part.ts'

/**
 * Puts the tables of these runs into a page, each between `<!-- bench:NAME -->` and `<!-- /bench -->`: one per part, `budgets`
 * for all parts that have one, `short` for the README. When several runs have a part, the last one counts; a table whose part is
 * in no run stays as it is.
 */
export function withTables(page: string, runs: readonly BenchResults[]): string {
  const measured = measuredParts(runs)
  return page.replace(BLOCK, (block, name: string) => {
    const table = tableOf(name, measured)
    return table === null ? block : `<!-- bench:${name} -->\n${table}\n<!-- /bench -->`
  })
}

const BLOCK = /<!-- bench:(\S+) -->\n[\s\S]*?<!-- \/bench -->/g

type MeasuredPart = { readonly run: BenchResults; readonly result: PartResult }

function measuredParts(runs: readonly BenchResults[]): ReadonlyMap<string, MeasuredPart> {
  const measured = new Map<string, MeasuredPart>()
  for (const run of runs) for (const result of run.parts) if (result.failure === null) measured.set(result.part, { run, result })
  return measured
}

function tableOf(name: string, measured: ReadonlyMap<string, MeasuredPart>): string | null {
  switch (name) {
    case 'budgets':
      return measured.size === 0 ? null : budgetTable(measured)
    case 'short':
      return measured.size === 0 ? null : shortTable(measured)
    default: {
      const part = measured.get(name)
      return part === undefined ? null : partTable(part)
    }
  }
}

function partTable({ run, result }: MeasuredPart): string {
  const rows = result.figures.map((figure) => [figure.what, valueText(figure), budgetText(figure), figure.note ?? ''])
  return `${markdownTable(['what', 'figure', 'budget', 'to read it'], rows)}\n\n${provenance([run])}; took ${result.tookSeconds} s.`
}

function budgetTable(measured: ReadonlyMap<string, MeasuredPart>): string {
  const rows = [...measured].flatMap(([name, { result }]) =>
    result.figures.flatMap((figure) => (figure.budget === undefined ? [] : [[name, figure.what, valueText(figure), marginText(figure)]])),
  )
  return markdownTable(['part', 'what', 'figure', 'budget'], rows)
}

/** One row per measured figure of SHORT, beside the floor or counterpart of the same run. */
function shortTable(measured: ReadonlyMap<string, MeasuredPart>): string {
  const rows = SHORT.flatMap(({ part, what, label, beside }) => {
    const figures = measured.get(part)?.result.figures ?? []
    const figure = figures.find((candidate) => what.test(candidate.what))
    if (figure === undefined) return []
    const floor = beside === undefined ? undefined : figures.find((candidate) => beside.what.test(candidate.what))
    return [[label, valueText(figure), budgetText(figure), floor === undefined ? '' : `${beside?.label}: ${valueText(floor)}`]]
  })
  const runs = [...new Set([...measured.values()].map(({ run }) => run))]
  return `${markdownTable(['what', 'figure', 'budget', 'beside it'], rows)}\n\n${provenance(runs)}.`
}

type ShortRow = {
  readonly part: string
  readonly what: RegExp
  readonly label: string
  readonly beside?: { readonly what: RegExp; readonly label: string }
}

const ENGINE_ALONE = { what: /^floor: engine alone/, label: 'engine alone, same rows' }
const EMPTY_ROUTE = { what: /^empty route$/, label: 'empty route' }

const SHORT: readonly ShortRow[] = [
  { part: 'ingest', what: /^batches of 1000: HTTP/, label: 'events, HTTP to queryable, embedded, batches of 1,000' },
  { part: 'ingest', what: /^batches of 1: HTTP/, label: 'the same, one event a request' },
  { part: 'ingest', what: /^batches of 1000: server CPU/, label: 'CPU per event, HTTP to queryable', beside: ENGINE_ALONE },
  { part: 'ingest', what: /^server CPU over the engine alone/, label: 'CPU over what the engine alone needs' },
  { part: 'ingest', what: /^memory, peak/, label: 'memory at full rate' },
  { part: 'distributed', what: /^batches of 1000: HTTP/, label: 'events, HTTP to queryable, on Kafka, PostgreSQL and Redis' },
  { part: 'producer', what: /^records of 250 events: Kafka over/, label: 'append on Kafka over append to the embedded log, CPU' },
  { part: 'decisions', what: /^decision$/, label: 'decisions over HTTP, embedded', beside: EMPTY_ROUTE },
  { part: 'decisions', what: /^decision over the empty route/, label: 'decisions over the empty route' },
  { part: 'decisions', what: /^decision at .*p99$/, label: 'decision, p99 at half load' },
  { part: 'decisions-redis', what: /^decision$/, label: 'decisions on Redis, one core and 512 MB', beside: EMPTY_ROUTE },
  { part: 'decisions-redis', what: /^decision at .*p99$/, label: 'the same, p99 at half load' },
  { part: 'decisions-redis', what: /^decision at 1,200\/s: p95$/, label: 'the same, p95 at 1,200 requests/s' },
  { part: 'freshness', what: /^half load.*balance, p99$/, label: 'from the 202 to the balance, p99 at half load' },
  { part: 'freshness', what: /^half load.*usage store, p99$/, label: 'from the 202 to the usage store, p99 at half load' },
  { part: 'dedupe', what: /^10 M: memory beyond/, label: 'memory per remembered event, dedupe of 10 million' },
  { part: 'stored', what: /^10 M: killed at rest: to ready/, label: 'kill -9 to ready, 10 million events behind' },
]

/** Runs are published from one machine; what differs between them is named for each. */
function provenance(runs: readonly BenchResults[]): string {
  const distinct = (of: (run: BenchResults) => string) => [...new Set(runs.map(of))].join(', ')
  const kind = runs.some(({ options }) => options.isQuick) ? 'Smoke run (`--quick`), not a measurement: ' : ''
  const loadBefore = Math.max(...runs.map(({ machine }) => machine.loadBefore))
  const shared = loadBefore > SHARED_LOAD ? `; the machine was shared with other work, load ${loadBefore.toFixed(1)} before` : ''
  const machine = distinct(({ machine: { cpu, cores, memoryGiB } }) => `${cpu}, ${cores} cores, ${memoryGiB} GiB`)
  const node = distinct((run) => run.machine.node)
  const days = distinct((run) => run.machine.startedAt.slice(0, 10))
  return `${kind}${machine}, Node ${node}, ${days}, commit ${distinct((run) => run.machine.commit.slice(0, 7))}${shared}`
}

/** Above this load something else ran: wall-clock figures suffer, CPU figures hardly. */
const SHARED_LOAD = 0.5

/** The margin of a missed budget is useful; of a met one it is plain from the figure. */
function marginText(figure: Figure): string {
  const { budget, value } = figure
  const text = budgetText(figure)
  if (budget === undefined || meetsBudget(figure) === true) return text
  const factor = 'max' in budget ? value / budget.max : budget.min / value
  return `${text} by ${numberText(factor)} x`
}

function valueText({ value, unit }: Figure): string {
  return `${numberText(value)} ${unit}`
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

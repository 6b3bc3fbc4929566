import { access } from 'node:fs/promises'
import { Command } from 'commander'
import { type EventMapping, parseDataColumns } from '../import/event-mapping.ts'
import { createEventSender, ImportFailed } from '../import/event-sender.ts'
import { type ImportProgress, type ImportResult, importFile } from '../import/import-file.ts'
import { showProgress } from '../import/show-progress.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'

type ImportFlags = {
  readonly type?: string
  readonly id?: string
  readonly time?: string
  readonly customer?: string
  readonly data?: string
  readonly source?: string
  readonly backfill?: boolean
  readonly url?: string
  readonly key?: string
}

export function importCommand(): Command {
  return new Command('import')
    .description('send a CSV or NDJSON file (gzipped or not) as events; may be run again at any time, as an event counts once')
    .argument('<file>', 'CSV with a header line, or NDJSON; without the options below, NDJSON lines are events already')
    .option('--type <type>', 'event type of all rows')
    .option('--id <column>', "column of the event's id")
    .option('--time <column>', 'column of the event time; without it, the time of receipt')
    .option('--customer <column>', 'column of the customer')
    .option('--data <columns>', 'columns that become data: model,input_tokens:number,cached:boolean')
    .option('--source <source>', 'source of all events')
    .option('--backfill', 'allow events older than 35 days; needs an admin key')
    .option('--url <url>', 'where the server is (TOLLGATE_URL)')
    .option('--key <key>', 'key with scope ingest (TOLLGATE_KEY, else TOLLGATE_ADMIN_KEY)')
    .action(runImport)
}

async function runImport(file: string, flags: ImportFlags): Promise<void> {
  const mapping = mappingOf(flags)
  const config = commandConfig({ TOLLGATE_URL: flags.url, TOLLGATE_KEY: flags.key })
  const key = config.clientKey ?? config.adminKey
  if (key === null) throw new CommandFailed('A key is needed: --key, TOLLGATE_KEY or TOLLGATE_ADMIN_KEY.', 2)
  await access(file).catch((error: Error) => {
    throw new CommandFailed(`${file} cannot be read: ${error.message}`, 2)
  })

  const progress: ImportProgress = { rows: 0, accepted: 0, refused: 0, bytesRead: 0, bytesTotal: 0 }
  const display = showProgress(progress, process.stderr)
  const sender = createEventSender({
    clock: systemClock,
    url: config.clientUrl ?? `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${config.port}`,
    key,
    isBackfill: flags.backfill === true,
    onRetry: oncePerSecond((reason, waitMs) => display.note(`${reason}; next attempt in ${(waitMs / 1_000).toFixed(1)} s`)),
  })
  let result: ImportResult
  try {
    result = await importFile({ file, mapping, sender, progress })
  } catch (error) {
    const reason = error instanceof ImportFailed ? error.message : error instanceof Error ? error.message : String(error)
    throw new CommandFailed(
      `The import ended early: ${reason}\n${progress.accepted} events were accepted; run it again to go on, nothing counts twice.`,
    )
  } finally {
    display.end()
  }
  report(result)
}

/** Batches under way at the same time meet the same trouble, so it is noted once a second. */
function oncePerSecond(note: (reason: string, waitMs: number) => void): (reason: string, waitMs: number) => void {
  let notedAtMs = Number.NEGATIVE_INFINITY
  return (reason, waitMs) => {
    if (performance.now() - notedAtMs < 1_000) return
    notedAtMs = performance.now()
    note(reason, waitMs)
  }
}

function report({ rows, accepted, refused, firstRefusals }: ImportResult): void {
  console.log(`${accepted.toLocaleString('en')} accepted, ${refused.toLocaleString('en')} refused of ${rows.toLocaleString('en')} rows.`)
  if (refused === 0) return
  const shown = firstRefusals.map(({ line, id, code, detail }) => `  line ${line}${id === null ? '' : ` (${id})`}: ${code}: ${detail}`)
  const more = refused > firstRefusals.length ? [`  and ${refused - firstRefusals.length} more`] : []
  throw new CommandFailed(['Refused:', ...shown, ...more].join('\n'))
}

function mappingOf(flags: ImportFlags): EventMapping | null {
  const { type, id, customer, time, data, source } = flags
  if ([type, id, customer, time, data, source].every((flag) => flag === undefined)) return null
  if (type === undefined || id === undefined || customer === undefined) {
    throw new CommandFailed('To make events of rows, --type, --id and --customer are needed.', 2)
  }
  try {
    return {
      type,
      idColumn: id,
      customerColumn: customer,
      timeColumn: time ?? null,
      source: source ?? null,
      data: data === undefined ? [] : parseDataColumns(data),
    }
  } catch (error) {
    throw new CommandFailed((error as Error).message, 2)
  }
}

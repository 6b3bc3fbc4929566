import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Argument, Command, Option } from 'commander'
import { CommandFailed } from '../../process/command-failed.ts'
import { createBillClient, type ServerFlags } from './bill-client.ts'
import { withServer } from './server-options.ts'

type ExportFlags = ServerFlags & {
  readonly from?: string
  readonly to?: string
  readonly format: 'csv' | 'ndjson'
  readonly cursor?: string
  readonly out?: string
}

export function billExportCommand(): Command {
  return withServer(new Command('export'), 'read')
    .description('write documents, their lines or the ledger as CSV or NDJSON, in the order of time')
    .addArgument(new Argument('<what>', 'what to write').choices(['invoices', 'invoice-lines', 'ledger-entries']))
    .option('--from <time>', 'documents that close, or entries that were posted, at this instant or later')
    .option('--to <time>', 'the same, before this instant')
    .addOption(new Option('--format <format>').choices(['csv', 'ndjson']).default('csv'))
    .option('--cursor <cursor>', 'go on behind the row that has this cursor')
    .option('--out <file>', 'standard output when absent')
    .action(billExport)
}

async function billExport(what: string, { from, to, format, cursor, out, url, key }: ExportFlags): Promise<void> {
  const client = createBillClient({ ...(url !== undefined && { url }), ...(key !== undefined && { key }) })
  const query = new URLSearchParams({ format, ...(from && { from }), ...(to && { to }), ...(cursor && { cursor }) })
  const rows = await client.stream('GET', `/v1/exports/${what}?${query}`)
  const sink = out === undefined ? process.stdout : createWriteStream(out, { flags: cursor === undefined ? 'w' : 'a' })
  await pipeline(Readable.fromWeb(rows as Parameters<typeof Readable.fromWeb>[0]), sink, { end: out !== undefined }).catch(
    (error: Error) => {
      throw new CommandFailed(`The export broke off: ${error.message}. Go on with --cursor of the last whole row.`)
    },
  )
}

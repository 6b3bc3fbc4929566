import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { CommandFailed } from '../../process/command-failed.ts'
import { createBillClient, type ServerFlags } from './bill-client.ts'
import { withServer } from './server-options.ts'

type WhatIfFlags = ServerFlags & { readonly from: string; readonly to: string; readonly customer?: readonly string[] }

export function billWhatIfCommand(): Command {
  return withServer(new Command('what-if'), 'read')
    .description('print what past usage would have come to otherwise, a row of JSON for each customer, then the totals; stores nothing')
    .argument('<file>', 'JSON: {"plan": KEY}, or {"priceOverrides": {CHARGE: PRICE}}; and usage: asBilled or now')
    .requiredOption('--from <time>', 'periods from this instant on')
    .requiredOption('--to <time>', 'and before this instant')
    .option('--customer <key...>', 'these customers alone')
    .action(billWhatIf)
}

async function billWhatIf(file: string, { from, to, customer, ...server }: WhatIfFlags): Promise<void> {
  const rows = await createBillClient(server).stream('POST', '/v1/what-if', {
    ...(await readOtherwise(file)),
    ...{ from, to },
    ...(customer !== undefined && { customers: customer }),
  })
  await pipeline(Readable.fromWeb(rows as Parameters<typeof Readable.fromWeb>[0]), process.stdout, { end: false })
}

async function readOtherwise(file: string): Promise<object> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new CommandFailed(`${file} cannot be read: ${error.message}`, 2)
  })
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  } catch (error) {
    throw new CommandFailed(`${file} is not JSON: ${(error as Error).message}`, 2)
  }
  throw new CommandFailed(`${file} must hold an object, such as {"plan": "pro"}.`, 2)
}

import { Command, InvalidArgumentError } from 'commander'
import type { Static } from 'typebox'
import type { BillingMonthSchema } from '../../../schemas/http/billing-months.ts'
import { CommandFailed } from '../../process/command-failed.ts'
import { type BillClient, createBillClient, type ServerFlags } from './bill-client.ts'
import { performRun, printRun } from './billing-run.ts'
import { withServer } from './server-options.ts'

type Month = Static<typeof BillingMonthSchema>

export function billCloseCommand(): Command {
  return withServer(new Command('close'), 'billing')
    .description(
      'run until every period that ends by the end of a month is final, then print the month; exit code 1 while anything is open',
    )
    .argument('<month>', 'a month in UTC, such as 2026-11', monthOf)
    .action(billClose)
}

async function billClose(month: string, server: ServerFlags): Promise<void> {
  const client = createBillClient(server)
  const closed = await closeMonth(client, month)
  printMonth(closed)
  if (!closed.isClosed) throw new CommandFailed(`${month} is not closed: ${closed.openCount} subscriptions have a document to come.`)
  console.log(`${month} is closed.`)
}

/**
 * One run bills each subscription as far as it may, up to its bounds of documents and subscriptions; a run that makes nothing can
 * make no more: what is open then waits for its grace or is set aside.
 */
async function closeMonth(client: BillClient, month: string): Promise<Month> {
  for (;;) {
    const run = await performRun(client, {})
    printRun(run)
    const { finalised, nothingDue, dropped } = run
    const state = await client.ask<Month>('GET', `/v1/billing/months/${month}`)
    if (state.isClosed || finalised + nothingDue + dropped === 0) return state
  }
}

function printMonth({ month, from, to, documents, taxes, adjustments, open, openCount }: Month): void {
  console.log(`\n${month}, ${from} to ${to}`)
  for (const { currency, document, status, documents: count, net, tax, total, due, paid } of documents) {
    const what = document === 'creditNote' ? 'credit notes' : 'invoices'
    console.log(`  ${count} ${what} ${status}: net ${net}, tax ${tax}, total ${total}, paid ${paid}, due ${due} ${currency}`)
  }
  if (documents.length === 0) console.log('  no documents')
  for (const { currency, name, percent, base, amount } of taxes) console.log(`  ${name} ${percent} %: ${amount} on ${base} ${currency}`)
  for (const { currency, lines, amount } of adjustments) console.log(`  ${lines} adjustments of earlier periods: ${amount} ${currency}`)
  const unpaid = documents.filter(({ status }) => status === 'finalised')
  for (const { currency, due } of unpaid) console.log(`  unpaid: ${due} ${currency}`)
  for (const { subscription, customer, closesAt, dueAt } of open) {
    console.log(
      `  open: ${subscription} of ${customer}, period to ${closesAt ?? 'unknown'}, can be final at ${dueAt ?? 'no time: it is set aside'}`,
    )
  }
  if (openCount > open.length) console.log(`  and ${openCount - open.length} more are open`)
}

function monthOf(text: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) throw new InvalidArgumentError('It must be a month, such as 2026-11.')
  return text
}

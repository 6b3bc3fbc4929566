import { Command } from 'commander'
import { createBillClient, type ServerFlags } from './bill-client.ts'
import { withServer } from './server-options.ts'

/** What is printed of a document that a run would make. */
type Preview = {
  readonly [field in 'document' | 'kind' | 'currency' | 'closesAt' | 'subtotal' | 'discount' | 'credits' | 'tax' | 'total' | 'due']: string
} & {
  readonly lines: readonly {
    readonly kind: string
    readonly item?: string
    readonly from: string
    readonly to: string
    readonly quantity?: string
    readonly amount: string
  }[]
}

export function billPreviewCommand(): Command {
  return withServer(new Command('preview'), 'read')
    .description('print the documents that a run would make of a subscription, or else the next one; stores nothing')
    .argument('<subscription>', 'id of the subscription')
    .option('--at <time>', 'as of this instant; now when absent')
    .action(billPreview)
}

async function billPreview(subscription: string, { at, ...server }: ServerFlags & { readonly at?: string }): Promise<void> {
  const query = at === undefined ? '' : `?${new URLSearchParams({ at })}`
  const path = `/v1/subscriptions/${encodeURIComponent(subscription)}/invoice-preview${query}`
  const { data } = await createBillClient(server).ask<{ readonly data: readonly Preview[] }>('GET', path)
  if (data.length === 0) console.log('No document is to come.')
  for (const { document, kind, currency, closesAt, lines, subtotal, discount, credits, tax, total, due } of data) {
    console.log(`${document === 'creditNote' ? 'Credit note' : 'Invoice'} (${kind}) to ${closesAt}`)
    for (const { kind: of, item = '', from, to, quantity = '', amount } of lines) {
      const parts = [of, item, from.slice(0, 10), 'to', to.slice(0, 10), quantity, amount]
      console.log(`  ${parts.filter((part) => part !== '').join(' ')}`)
    }
    console.log(`  subtotal ${subtotal}, discount ${discount}, credits ${credits}, tax ${tax}, total ${total}, due ${due} ${currency}`)
  }
}

import { useQuery } from '@tanstack/react-query'
import { answered, api, type Shape } from '../api/client.ts'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { Quantity } from '../parts/quantity.tsx'

const COLUMNS: readonly Column<Shape<'Ledger'>>[] = [
  { name: 'at', head: 'Posted', cell: ({ postedAt }) => <Instant at={postedAt} />, isTight: true },
  { name: 'account', head: 'Account', cell: ({ account }) => <b>{account}</b> },
  { name: 'source', head: 'Source', cell: ({ source }) => <code className="muted">{source}</code> },
  { name: 'amount', head: 'Amount', cell: ({ amount }) => <Quantity of={amount} />, isFigure: true },
  { name: 'balance', head: 'Balance', cell: ({ balance }) => <Quantity of={balance} />, isFigure: true },
]

/** The customer's double-entry ledger: entries of one source sum to zero. */
export function LedgerCard({ customer }: { customer: string }) {
  const ledger = useQuery({
    queryKey: ['ledger', customer],
    queryFn: () => answered(api.GET('/v1/customers/{key}/ledger', { params: { path: { key: customer }, query: { limit: 200 } } })),
    retry: false,
  })
  return (
    <Card
      title="Ledger"
      hint="debits above zero"
      actions={<CopyCurl path={`/v1/customers/${encodeURIComponent(customer)}/ledger`} />}
      isFlush
    >
      <Loaded of={ledger}>
        {({ data }) =>
          data.length === 0 ? (
            <p className="pad muted">Nothing was posted.</p>
          ) : (
            <DataTable
              caption="Ledger"
              columns={COLUMNS}
              rows={data}
              rowKey={({ source, account, credit, amount }) => `${source} ${account} ${credit} ${amount}`}
            />
          )
        }
      </Loaded>
    </Card>
  )
}

import type { Shape } from '../api/client.ts'
import { Choice } from '../parts/choice.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { SearchBox } from '../parts/search-box.tsx'
import { useAddress } from '../parts/use-address.ts'
import { InvoiceTable } from './invoice-table.tsx'

const STATUSES = [
  { value: '', label: 'all' },
  { value: 'draft', label: 'drafts' },
  { value: 'finalised', label: 'final, not paid' },
  { value: 'paid', label: 'paid' },
  { value: 'nothingDue', label: 'nothing due' },
  { value: 'uncollectible', label: 'uncollectible' },
  { value: 'void', label: 'void' },
]

/** Who owes, and is it right? */
export function Invoices() {
  const [{ customer, status }, change] = useAddress()
  const filter = {
    ...(customer === undefined ? {} : { customer }),
    ...(status === undefined ? {} : { status: status as Shape<'Invoice'>['status'] }),
  }
  return (
    <>
      <PageHead title="Invoices" sub="Every line opens to what it is made of.">
        <CopyCurl path={`/v1/invoices?${new URLSearchParams(filter)}`} />
      </PageHead>
      <InvoiceTable
        filter={filter}
        actions={
          <div className="filters">
            <SearchBox label="Customer" value={customer ?? ''} onChange={(value) => change({ customer: value })} />
            <Choice label="Status" prefix="Show" value={status ?? ''} onChange={(value) => change({ status: value })} options={STATUSES} />
          </div>
        }
      />
    </>
  )
}

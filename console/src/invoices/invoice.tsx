import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { agoText } from '../../../look/times.ts'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Badge } from '../parts/badge.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { CreditNoteForm } from './credit-note-form.tsx'
import { InvoiceStatus } from './invoice-status.tsx'
import { LinesCard } from './lines-card.tsx'
import { PaymentForm } from './payment-form.tsx'
import { PdfButton } from './pdf-button.tsx'
import { ProofCard } from './proof-card.tsx'
import { RectangleCard } from './rectangle-card.tsx'
import { VoidConfirm } from './void-confirm.tsx'
import { WayCard } from './way-card.tsx'

/** One document: its lines, each open to tiers, windows and events; and the way from them to what is due. */
export function Invoice() {
  const { id } = useParams({ strict: false }) as { id: string }
  const invoice = useQuery({
    queryKey: ['invoice', id],
    queryFn: () => answered(api.GET('/v1/invoices/{id}', { params: { path: { id } } })),
    ...every(LIST_MS),
  })
  return (
    <Loaded of={invoice} height={520}>
      {(data) => <Shown invoice={data} />}
    </Loaded>
  )
}

function Shown({ invoice }: { invoice: Shape<'Invoice'> }) {
  const { id, number, status, customer, billTo, closesAt, finalisedAt, dueAt, document: kind } = invoice
  const [address, change] = useAddress()
  const client = useQueryClient()
  const mayBill = useMay('billing')
  const why = mayBill ? undefined : 'Needs scope billing'
  const close = () => change({ do: undefined })
  const changed = async () => {
    await Promise.all(['invoice', 'invoices'].map((name) => client.invalidateQueries({ queryKey: [name] })))
  }
  const isOpen = status === 'finalised'
  const title = number ?? (status === 'draft' ? 'Draft' : 'Document')
  return (
    <>
      <PageHead
        title={title}
        badges={
          <>
            {kind === 'creditNote' ? <Badge tone="line">credit note</Badge> : null}
            <InvoiceStatus status={status} />
            {isOpen && dueAt !== null ? (
              <Badge tone={Date.parse(dueAt) < Date.now() ? 'bad' : 'line'}>due {agoText(dueAt, Date.now())}</Badge>
            ) : null}
          </>
        }
        sub={
          <>
            <Link to="/customers/$key" params={{ key: customer } as never}>
              {billTo.name ?? customer}
            </Link>{' '}
            · closing <Instant at={closesAt} />
            {finalisedAt === null ? null : (
              <>
                {' '}
                · final <Instant at={finalisedAt} />
              </>
            )}
          </>
        }
      >
        <CopyCurl path={`/v1/invoices/${encodeURIComponent(id)}`} />
        {status === 'draft' ? null : (
          <>
            <a className="button" href={`/console/api/v1/invoices/${encodeURIComponent(id)}`} target="_blank" rel="noreferrer">
              As the customer sees it
            </a>
            <PdfButton id={id} name={title} />
          </>
        )}
        {status === 'draft' || kind === 'creditNote' || status === 'void' ? null : (
          <>
            <button type="button" className="button" disabled={!mayBill} title={why} onClick={() => change({ do: 'credit-note' })}>
              Credit note
            </button>
            <button type="button" className="button button-danger" disabled={!mayBill} title={why} onClick={() => change({ do: 'void' })}>
              Void
            </button>
          </>
        )}
        {isOpen ? (
          <button type="button" className="button button-primary" disabled={!mayBill} title={why} onClick={() => change({ do: 'pay' })}>
            Record payment
          </button>
        ) : null}
      </PageHead>
      <div className="cols c-inv">
        <LinesCard invoice={invoice} />
        <div className="cols">
          <WayCard invoice={invoice} />
          <RectangleCard invoice={invoice} />
          {status === 'draft' ? null : <ProofCard invoice={invoice} />}
        </div>
      </div>
      {address.do === 'pay' ? <PaymentForm invoice={invoice} onDone={changed} onClose={close} /> : null}
      {address.do === 'credit-note' ? <CreditNoteForm invoice={invoice} onDone={changed} onClose={close} /> : null}
      {address.do === 'void' ? <VoidConfirm invoice={invoice} onDone={changed} onClose={close} /> : null}
    </>
  )
}

import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { CouponForm } from './coupon-form.tsx'
import { TaxRateForm } from './tax-rate-form.tsx'

type Coupon = Shape<'Coupon'>
type TaxRate = Shape<'TaxRate'>

/** Who pays less, and which tax? */
export function Coupons() {
  const [address, change] = useAddress()
  const mayBill = useMay('billing')
  const why = mayBill ? undefined : 'Needs scope billing'
  const coupons = useQuery({
    queryKey: ['coupons'],
    queryFn: () => answered(api.GET('/v1/coupons', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
  const rates = useQuery({
    queryKey: ['tax-rates'],
    queryFn: () => answered(api.GET('/v1/tax-rates', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
  return (
    <>
      <PageHead title="Coupons and taxes" sub="A coupon lowers lines before tax; a rate adds to them, or is in them.">
        <CopyCurl path="/v1/coupons" />
        <button type="button" className="button" disabled={!mayBill} title={why} onClick={() => change({ new: 'rate' })}>
          <Plus className="icon" aria-hidden /> New tax rate
        </button>
        <button type="button" className="button button-primary" disabled={!mayBill} title={why} onClick={() => change({ new: 'coupon' })}>
          <Plus className="icon" aria-hidden /> New coupon
        </button>
      </PageHead>
      <div className="cols c-2">
        <Card title="Coupons" isFlush>
          <Loaded of={coupons} height={180}>
            {({ data }) =>
              data.length === 0 ? (
                <p className="pad muted">No coupon.</p>
              ) : (
                <DataTable caption="Coupons" columns={COUPONS} rows={data} rowKey={({ key }) => key} />
              )
            }
          </Loaded>
        </Card>
        <Card title="Tax rates" isFlush>
          <Loaded of={rates} height={180}>
            {({ data }) =>
              data.length === 0 ? (
                <p className="pad muted">No tax rate.</p>
              ) : (
                <DataTable caption="Tax rates" columns={RATES} rows={data} rowKey={({ key }) => key} />
              )
            }
          </Loaded>
        </Card>
      </div>
      {address.new === 'coupon' ? <CouponForm onClose={() => change({ new: undefined })} /> : null}
      {address.new === 'rate' ? <TaxRateForm onClose={() => change({ new: undefined })} /> : null}
    </>
  )
}

const COUPONS: readonly Column<Coupon>[] = [
  { name: 'key', head: 'Key', cell: ({ key }) => <b>{key}</b> },
  {
    name: 'off',
    head: 'Takes off',
    cell: ({ percent, amount, currency }) => (percent !== undefined ? `${percent} %` : `${amount} ${currency}`),
    isFigure: true,
  },
  {
    name: 'for',
    head: 'For',
    cell: ({ duration }) =>
      typeof duration === 'string' ? (duration === 'once' ? 'one invoice' : 'every invoice') : `${duration.invoices} invoices`,
  },
  {
    name: 'until',
    head: 'Redeem by',
    cell: ({ redeemBy }) => (redeemBy === undefined ? <span className="faint">–</span> : <Instant at={redeemBy} shape="date" />),
  },
]
const RATES: readonly Column<TaxRate>[] = [
  { name: 'name', head: 'Name', cell: ({ name }) => <b>{name}</b> },
  { name: 'key', head: 'Key', cell: ({ key }) => <code className="muted">{key}</code> },
  { name: 'percent', head: 'Percent', cell: ({ percent }) => percent, isFigure: true },
  { name: 'in', head: 'In the price', cell: ({ inclusive }) => (inclusive ? 'yes' : 'added') },
]

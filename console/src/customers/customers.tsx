import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Plus, Users } from 'lucide-react'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Choice } from '../parts/choice.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { MoreRows } from '../parts/more-rows.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { SearchBox } from '../parts/search-box.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { CustomerForm } from './customer-form.tsx'

type Customer = Shape<'Customer'>
const COLUMNS: readonly Column<Customer>[] = [
  { name: 'name', head: 'Name', cell: ({ name, key }) => <b>{name ?? key}</b> },
  { name: 'key', head: 'Key', cell: ({ key }) => <code className="muted">{key}</code> },
  { name: 'email', head: 'E-mail', cell: ({ email }) => email ?? <span className="faint">–</span> },
  {
    name: 'subjects',
    head: 'Subjects',
    cell: ({ subjects }) => (
      <span className="muted">
        {subjects.slice(0, 2).join(', ')}
        {subjects.length > 2 ? ` +${subjects.length - 2}` : ''}
      </span>
    ),
  },
  {
    name: 'state',
    head: 'State',
    cell: ({ archivedAt }) => (archivedAt === null ? <Badge tone="ok">active</Badge> : <Badge>archived</Badge>),
  },
  { name: 'since', head: 'Since', cell: ({ createdAt }) => <Instant at={createdAt} shape="date" />, isFigure: true },
]
const PAGE_ROWS = 100

export function Customers() {
  const [address, change] = useAddress()
  const navigate = useNavigate()
  const mayManage = useMay('manage')
  const query = {
    ...(address.search === undefined ? {} : { search: address.search }),
    sort: address.sort === 'key' ? ('key' as const) : ('-createdAt' as const),
    archived: address.archived === 'any' ? ('any' as const) : ('false' as const),
  }
  const customers = useInfiniteQuery({
    queryKey: ['customers', query],
    queryFn: ({ pageParam }) =>
      answered(
        api.GET('/v1/customers', {
          params: { query: { ...query, limit: PAGE_ROWS, count: true, ...(pageParam === null ? {} : { cursor: pageParam }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    ...every(LIST_MS),
  })
  const rows = customers.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <>
      <PageHead title="Customers" sub="Who they are, what they may, use and owe.">
        <CopyCurl path={`/v1/customers?${new URLSearchParams(query)}`} />
        <button
          type="button"
          className="button button-primary"
          disabled={!mayManage}
          title={mayManage ? undefined : 'Needs scope manage'}
          onClick={() => change({ new: 'on' })}
        >
          <Plus className="icon" aria-hidden /> New customer
        </button>
      </PageHead>
      <Card
        title="Customers"
        hint={customers.data === undefined ? undefined : `${customers.data.pages[0]?.count ?? rows.length} in all`}
        actions={
          <div className="filters">
            <SearchBox label="Key, name, e-mail or subject" value={address.search ?? ''} onChange={(search) => change({ search })} />
            <Choice
              label="Order"
              prefix="Order"
              value={query.sort}
              onChange={(sort) => change({ sort })}
              options={[
                { value: '-createdAt', label: 'newest first' },
                { value: 'key', label: 'by key' },
              ]}
            />
            <Choice
              label="Archived"
              prefix="Show"
              value={query.archived}
              onChange={(archived) => change({ archived })}
              options={[
                { value: 'false', label: 'active' },
                { value: 'any', label: 'archived too' },
              ]}
            />
          </div>
        }
        isFlush
      >
        <Loaded of={customers} height={420}>
          {() =>
            rows.length === 0 ? (
              <Empty icon={Users} title={address.search === undefined ? 'No customer yet' : 'Nobody is called that'}>
                <p>
                  {address.search === undefined
                    ? 'They appear with their first event, or you make one here.'
                    : 'The search looks at keys, names, e-mail addresses and subjects.'}
                </p>
              </Empty>
            ) : (
              <DataTable
                caption="Customers"
                columns={COLUMNS}
                rows={rows}
                rowKey={({ key }) => key}
                onOpen={({ key }) => void navigate({ to: '/customers/$key', params: { key } as never })}
              />
            )
          }
        </Loaded>
        <MoreRows of={customers} />
      </Card>
      {address.new === 'on' ? <CustomerForm onClose={() => change({ new: undefined })} /> : null}
    </>
  )
}

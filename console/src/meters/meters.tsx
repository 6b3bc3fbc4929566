import { Gauge, Plus } from 'lucide-react'
import type { Shape } from '../api/client.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { MeterBuilder } from './meter-builder.tsx'
import { useMeters } from './use-meters.ts'

type Meter = Shape<'Meter'>
const COLUMNS: readonly Column<Meter>[] = [
  { name: 'key', head: 'Key', cell: ({ key }) => <b>{key}</b>, compare: (a, b) => a.key.localeCompare(b.key) },
  { name: 'type', head: 'Event type', cell: ({ eventType }) => <code>{eventType}</code> },
  {
    name: 'counts',
    head: 'Counts',
    cell: ({ aggregation, value }) => (
      <>
        {aggregation}
        {value === undefined ? (
          ''
        ) : (
          <>
            {' '}
            of <code>{[value].flat().join(' + ')}</code>
          </>
        )}
      </>
    ),
  },
  { name: 'by', head: 'Dimensions', cell: ({ dimensions }) => Object.keys(dimensions).join(', ') || <span className="faint">–</span> },
  {
    name: 'where',
    head: 'Only where',
    cell: ({ where }) => (where === undefined ? <span className="faint">–</span> : Object.keys(where).join(', ')),
  },
  {
    name: 'status',
    head: 'State',
    cell: ({ status }) => (status === 'ready' ? <Badge tone="ok">ready</Badge> : <Badge tone="warn">counting what was before it</Badge>),
  },
  { name: 'changed', head: 'Changed', cell: ({ updatedAt }) => <Instant at={updatedAt} shape="date" />, isFigure: true },
]

/** What is counted? */
export function Meters() {
  const [address, change] = useAddress()
  const mayAdmin = useMay('admin')
  const meters = useMeters()
  const open = meters.data?.data.find(({ key }) => key === address.meter)
  return (
    <>
      <PageHead title="Meters" sub="A meter says which events count, and what of them. One made now counts the events from before it too.">
        <CopyCurl path="/v1/meters" />
        <button
          type="button"
          className="button button-primary"
          disabled={!mayAdmin}
          title={mayAdmin ? undefined : 'Needs scope admin'}
          onClick={() => change({ new: 'on' })}
        >
          <Plus className="icon" aria-hidden /> New meter
        </button>
      </PageHead>
      <Card title="Meters" hint={meters.data === undefined ? undefined : `${meters.data.data.length} in all`} isFlush>
        <Loaded of={meters} height={260}>
          {({ data }) =>
            data.length === 0 ? (
              <Empty icon={Gauge} title="Nothing is counted yet">
                <p>Send an event, then make a meter from it.</p>
              </Empty>
            ) : (
              <DataTable
                caption="Meters"
                columns={COLUMNS}
                rows={data}
                rowKey={({ key }) => key}
                onOpen={({ key }) => change({ meter: key })}
                openKey={address.meter ?? null}
              />
            )
          }
        </Loaded>
      </Card>
      {address.new === 'on' ? <MeterBuilder eventType={address.type} onClose={() => change({ new: undefined, type: undefined })} /> : null}
      {open === undefined ? null : <MeterBuilder meter={open} onClose={() => change({ meter: undefined })} />}
    </>
  )
}

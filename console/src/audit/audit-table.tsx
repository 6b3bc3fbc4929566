import { useInfiniteQuery } from '@tanstack/react-query'
import { ScrollText } from 'lucide-react'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { Empty } from '../parts/empty.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { MoreRows } from '../parts/more-rows.tsx'
import { RowDiff } from './row-diff.tsx'

type Entry = Shape<'Audit'>
const TONES = { created: 'ok', changed: 'info', deleted: 'bad' } as const
const COLUMNS: readonly Column<Entry>[] = [
  { name: 'at', head: 'When', cell: ({ at }) => <Instant at={at} />, isTight: true },
  { name: 'change', head: 'Change', cell: ({ change }) => <Badge tone={TONES[change]}>{change}</Badge>, isTight: true },
  { name: 'type', head: 'What', cell: ({ objectType }) => objectType.replaceAll('_', ' ') },
  { name: 'object', head: 'Which', cell: ({ object }) => <b>{object}</b> },
  { name: 'actor', head: 'By', cell: ({ actor }) => <code className="muted">{actor}</code> },
  { name: 'route', head: 'Call', cell: ({ route }) => <span className="muted small">{route}</span> },
]

export type AuditFilter = { readonly actor?: string; readonly objectType?: string; readonly object?: string }

/** Entries of the audit log, newest first; one opens to what was before and after. */
export function AuditTable({ title, filter, actions }: { title: string; filter: AuditFilter; actions?: React.ReactNode }) {
  const [open, setOpen] = useState<Entry | null>(null)
  const entries = useInfiniteQuery({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam }) =>
      answered(api.GET('/v1/audit', { params: { query: { ...filter, limit: 50, ...(pageParam === null ? {} : { cursor: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    ...every(LIST_MS),
  })
  const rows = entries.data?.pages.flatMap(({ data }) => data) ?? []
  return (
    <Card title={title} actions={actions} isFlush>
      <Loaded of={entries} height={300}>
        {() =>
          rows.length === 0 ? (
            <Empty icon={ScrollText} title="No change is on record" />
          ) : (
            <DataTable
              caption={title}
              columns={COLUMNS}
              rows={rows}
              rowKey={({ sequence }) => String(sequence)}
              onOpen={setOpen}
              openKey={open === null ? null : String(open.sequence)}
            />
          )
        }
      </Loaded>
      <MoreRows of={entries} />
      {open === null ? null : (
        <Drawer
          title={`${open.objectType.replaceAll('_', ' ')} ${open.object}`}
          label="Entry of the audit log"
          isWide
          onClose={() => setOpen(null)}
        >
          <dl className="pairs">
            <dt>When</dt>
            <dd>
              <Instant at={open.at} shape="full" />
            </dd>
            <dt>By</dt>
            <dd>
              <code>{open.actor}</code> {open.address === undefined ? '' : `from ${open.address}`}
            </dd>
            <dt>Call</dt>
            <dd>{open.route ?? '–'}</dd>
            <dt>Request</dt>
            <dd>
              <code>{open.requestId ?? '–'}</code>
            </dd>
            <dt>Place in the chain</dt>
            <dd>
              {open.sequence} · <code>{open.hash.slice(0, 12)}…</code>
            </dd>
          </dl>
          <RowDiff before={open.before} after={open.after} />
        </Drawer>
      )}
    </Card>
  )
}

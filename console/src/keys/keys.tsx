import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { answered, api, own, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Instant } from '../parts/instant.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { say } from '../parts/toasts.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'
import { KeyForm } from './key-form.tsx'
import { SecretDrawer } from './secret-drawer.tsx'

type Key = Shape<'Key'>
type ConsoleSession = {
  readonly id: string
  readonly key: { readonly name: string }
  readonly createdAt: string
  readonly expiresAt: string
  readonly address: string
  readonly browser: string
  readonly isThis: boolean
}
type Doing = { readonly what: 'end' | 'rotate'; readonly key: Key }

/** Who may do what: keys of programs, and the browsers that are signed in. */
export function Keys() {
  const [address, change] = useAddress()
  const client = useQueryClient()
  const mayAdmin = useMay('admin')
  const [doing, setDoing] = useState<Doing | null>(null)
  const [secret, setSecret] = useState<Shape<'CreateKeyAnswer'> | null>(null)
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => answered(api.GET('/v1/keys', {})), ...every(LIST_MS) })
  const sessions = useQuery({
    queryKey: ['sessions'],
    queryFn: () => own<{ data: readonly ConsoleSession[] }>('GET', 'sessions'),
    ...every(LIST_MS),
  })
  const why = mayAdmin ? undefined : 'Needs scope admin'
  const columns: readonly Column<Key>[] = [
    {
      name: 'name',
      head: 'Name',
      cell: ({ name, isConfigured }) => (
        <>
          <b>{name}</b>
          {isConfigured ? <span className="xs muted"> of the setting</span> : null}
        </>
      ),
      compare: (a, b) => a.name.localeCompare(b.name),
    },
    { name: 'id', head: 'Id', cell: ({ id }) => <code className="muted">{id}</code> },
    {
      name: 'scopes',
      head: 'Scopes',
      cell: ({ scopes }) => (
        <span className="row wrap">
          {scopes.map((scope) => (
            <Badge key={scope} tone={scope === 'admin' ? 'warn' : 'plain'}>
              {scope}
            </Badge>
          ))}
        </span>
      ),
    },
    {
      name: 'used',
      head: 'Last used',
      cell: ({ lastUsedAt }) => (lastUsedAt === null ? <span className="faint">never</span> : <Instant at={lastUsedAt} />),
    },
    {
      name: 'made',
      head: 'Made',
      cell: ({ createdAt }) => <Instant at={createdAt} shape="date" />,
      compare: (a, b) => (a.createdAt < b.createdAt ? -1 : 1),
    },
    {
      name: 'state',
      head: 'State',
      cell: ({ endedAt, expiresAt }) =>
        endedAt !== null ? (
          <Badge>ended</Badge>
        ) : expiresAt !== null ? (
          <Badge tone="warn">
            ends <Instant at={expiresAt} shape="date" />
          </Badge>
        ) : (
          <Badge tone="ok">good</Badge>
        ),
    },
    {
      name: 'do',
      head: <span className="visually-hidden">Actions</span>,
      isFigure: true,
      cell: (key) =>
        key.endedAt !== null || key.isConfigured ? null : (
          <span className="row">
            <button
              type="button"
              className="button button-s"
              disabled={!mayAdmin}
              title={why}
              onClick={() => setDoing({ what: 'rotate', key })}
            >
              Rotate
            </button>
            <button
              type="button"
              className="button button-s button-danger"
              disabled={!mayAdmin}
              title={why}
              onClick={() => setDoing({ what: 'end', key })}
            >
              End
            </button>
          </span>
        ),
    },
  ]
  const confirm = async () => {
    if (doing === null) return
    const path = { params: { path: { id: doing.key.id } } }
    if (doing.what === 'end') await answered(api.DELETE('/v1/keys/{id}', path))
    else setSecret(await answered(api.POST('/v1/keys/{id}/rotate', { ...path, body: { graceMs: ROTATION_GRACE_MS } })))
    await client.invalidateQueries({ queryKey: ['keys'] })
    say(doing.what === 'end' ? `Key ${doing.key.name} has ended.` : `Key ${doing.key.name} has a new secret.`)
  }
  return (
    <>
      <PageHead title="Keys and sessions" sub="A key belongs to this tenant and may do what its scopes say. Only its hash is kept.">
        <CopyCurl path="/v1/keys" />
        <button type="button" className="button button-primary" disabled={!mayAdmin} title={why} onClick={() => change({ new: 'on' })}>
          <Plus className="icon" aria-hidden /> New key
        </button>
      </PageHead>
      <Card
        title="Keys"
        hint={keys.data === undefined ? undefined : `${keys.data.data.filter(({ endedAt }) => endedAt === null).length} good`}
        isFlush
      >
        <Loaded of={keys} height={200}>
          {({ data }) => <DataTable caption="Keys" columns={columns} rows={data} rowKey={({ id }) => id} />}
        </Loaded>
      </Card>
      <Card title="Signed in to the console" isFlush>
        <Loaded of={sessions} height={120}>
          {({ data }) => (
            <Sessions
              sessions={data}
              onEnd={async (id) => {
                await own('DELETE', `sessions/${id}`)
                await client.invalidateQueries({ queryKey: ['sessions'] })
              }}
            />
          )}
        </Loaded>
      </Card>
      {address.new === 'on' ? <KeyForm onClose={() => change({ new: undefined })} onMade={setSecret} /> : null}
      {secret === null ? null : <SecretDrawer made={secret} onClose={() => setSecret(null)} />}
      {doing === null ? null : (
        <Confirm
          title={doing.what === 'end' ? `End ${doing.key.name}` : `Rotate ${doing.key.name}`}
          action={doing.what === 'end' ? 'End the key' : 'Make a new secret'}
          isDangerous={doing.what === 'end'}
          onConfirm={confirm}
          onClose={() => setDoing(null)}
        >
          {doing.what === 'end'
            ? 'Whoever uses it is refused from now on, and browsers signed in with it are signed out.'
            : 'The secret until now stays good for one more hour beside the new one.'}
        </Confirm>
      )}
    </>
  )
}

const ROTATION_GRACE_MS = 3_600_000

function Sessions({ sessions, onEnd }: { sessions: readonly ConsoleSession[]; onEnd: (id: string) => Promise<void> }) {
  const columns: readonly Column<ConsoleSession>[] = [
    {
      name: 'key',
      head: 'Key',
      cell: ({ key, isThis }) => (
        <>
          <b>{key.name}</b> {isThis ? <Badge tone="info">this browser</Badge> : null}
        </>
      ),
    },
    { name: 'address', head: 'Address', cell: ({ address }) => address },
    { name: 'browser', head: 'Browser', cell: ({ browser }) => <span className="muted small">{browser.slice(0, 60)}</span> },
    { name: 'since', head: 'Since', cell: ({ createdAt }) => <Instant at={createdAt} /> },
    { name: 'until', head: 'Until', cell: ({ expiresAt }) => <Instant at={expiresAt} /> },
    {
      name: 'end',
      head: <span className="visually-hidden">End</span>,
      isFigure: true,
      cell: ({ id, isThis }) =>
        isThis ? null : (
          <button type="button" className="button button-s" onClick={() => void onEnd(id)}>
            Sign out
          </button>
        ),
    },
  ]
  return <DataTable caption="Sessions" columns={columns} rows={sessions} rowKey={({ id }) => id} />
}

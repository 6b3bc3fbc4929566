import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus, ToggleLeft } from 'lucide-react'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { every, LIST_MS } from '../api/live.ts'
import { useMeters } from '../meters/use-meters.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'
import { CopyCurl } from '../parts/copy-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { Empty } from '../parts/empty.tsx'
import { options, SelectField, TextField, useForm } from '../parts/form.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { say } from '../parts/toasts.tsx'
import { useAddress } from '../parts/use-address.ts'
import { useMay } from '../shell/session.ts'

type Feature = Shape<'Feature'>

/** What can be sold or limited? */
export function Features() {
  const [address, change] = useAddress()
  const mayAdmin = useMay('admin')
  const features = useQuery({
    queryKey: ['features'],
    queryFn: () => answered(api.GET('/v1/features', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
  const plans = useQuery({
    queryKey: ['plans'],
    queryFn: () => answered(api.GET('/v1/plans', { params: { query: { limit: 1000 } } })),
    ...every(LIST_MS),
  })
  const plansOf = (feature: string) =>
    (plans.data?.data ?? [])
      .filter(({ charges, entitlements }) => [...charges, ...entitlements].some((each) => each.feature === feature))
      .map(({ name }) => name)
  const columns: readonly Column<Feature>[] = [
    { name: 'name', head: 'Name', cell: ({ name }) => <b>{name}</b>, compare: (a, b) => a.name.localeCompare(b.name) },
    { name: 'key', head: 'Key', cell: ({ key }) => <code className="muted">{key}</code> },
    { name: 'type', head: 'Type', cell: ({ type }) => <Badge tone={type === 'metered' ? 'info' : 'plain'}>{type}</Badge> },
    {
      name: 'meter',
      head: 'Meter',
      cell: ({ meter, filter }) =>
        meter === null ? (
          <span className="faint">–</span>
        ) : (
          <>
            {meter}
            {Object.keys(filter).length === 0 ? (
              ''
            ) : (
              <span className="muted">
                {' '}
                where{' '}
                {Object.entries(filter)
                  .map(([name, values]) => `${name} is ${values.join(' or ')}`)
                  .join(', ')}
              </span>
            )}
          </>
        ),
    },
    { name: 'unit', head: 'Unit', cell: ({ unit }) => unit ?? <span className="faint">–</span> },
    { name: 'plans', head: 'Plans', cell: ({ key }) => <span className="muted">{plansOf(key).join(', ') || 'none'}</span> },
  ]
  const open = features.data?.data.find(({ key }) => key === address.feature)
  return (
    <>
      <PageHead title="Features" sub="What plans price, and what customers are allowed.">
        <CopyCurl path="/v1/features" />
        <button
          type="button"
          className="button button-primary"
          disabled={!mayAdmin}
          title={mayAdmin ? undefined : 'Needs scope admin'}
          onClick={() => change({ new: 'on' })}
        >
          <Plus className="icon" aria-hidden /> New feature
        </button>
      </PageHead>
      <Card title="Features" hint={features.data === undefined ? undefined : `${features.data.data.length} in all`} isFlush>
        <Loaded of={features} height={260}>
          {({ data }) =>
            data.length === 0 ? (
              <Empty icon={ToggleLeft} title="No feature yet">
                <p>A metered one reads a meter; others are on, off, or a value.</p>
              </Empty>
            ) : (
              <DataTable
                caption="Features"
                columns={columns}
                rows={data}
                rowKey={({ key }) => key}
                onOpen={({ key }) => change({ feature: key })}
                openKey={address.feature ?? null}
              />
            )
          }
        </Loaded>
      </Card>
      {address.new === 'on' ? <FeatureForm onClose={() => change({ new: undefined })} /> : null}
      {open === undefined ? null : <FeatureForm feature={open} onClose={() => change({ feature: undefined })} />}
    </>
  )
}

function FeatureForm({ feature, onClose }: { feature?: Feature; onClose: () => void }) {
  const client = useQueryClient()
  const mayAdmin = useMay('admin')
  const meters = useMeters()
  const [key, setKey] = useState(feature?.key ?? '')
  const [name, setName] = useState(feature?.name ?? '')
  const [type, setType] = useState<Feature['type']>(feature?.type ?? 'metered')
  const [meter, setMeter] = useState(feature?.meter ?? '')
  const [unit, setUnit] = useState(feature?.unit ?? '')
  const chosen = meter === '' ? (meters.data?.data[0]?.key ?? '') : meter
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    const metered = type === 'metered' ? { meter: chosen, filter: feature?.filter ?? {}, ...(unit === '' ? {} : { unit }) } : {}
    await answered(
      api.PUT('/v1/features/{key}', { params: { path: { key } }, body: { type, ...(name === '' ? {} : { name }), ...metered } }),
    )
    await client.invalidateQueries({ queryKey: ['features'] })
    say(`Feature ${key} was saved.`)
    onClose()
  })
  const title = feature === undefined ? 'New feature' : `Feature ${feature.name}`
  return (
    <Drawer
      title={title}
      label={title}
      onClose={onClose}
      foot={
        <button type="submit" form="feature-form" className="button button-primary" disabled={isBusy || !mayAdmin}>
          Save
        </button>
      }
    >
      <form id="feature-form" className="form" onSubmit={(event) => void submit(event)}>
        <TextField label="Key" value={key} onChange={setKey} error={errors.key} isDisabled={feature !== undefined} />
        <TextField label="Name" value={name} onChange={setName} error={errors.name} />
        <SelectField
          label="Type"
          value={type}
          onChange={(value) => setType(value as Feature['type'])}
          error={errors.type}
          isDisabled={feature !== undefined}
          options={options(['metered', 'boolean', 'config'])}
        />
        {type === 'metered' ? (
          <>
            <SelectField
              label="Meter"
              value={chosen}
              onChange={setMeter}
              error={errors.meter}
              options={options((meters.data?.data ?? []).map((each) => each.key))}
            />
            <TextField label="Unit" value={unit} onChange={setUnit} error={errors.unit} placeholder="tokens" />
          </>
        ) : null}
        {wrong}
      </form>
    </Drawer>
  )
}

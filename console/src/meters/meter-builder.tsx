import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { CopyCurl } from '../parts/copy-button.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { options, SelectField, TextField, useForm } from '../parts/form.tsx'
import { say } from '../parts/toasts.tsx'
import { useMay } from '../shell/session.ts'
import { MeterPreview } from './meter-preview.tsx'
import { numbersIn, pathsOf } from './property-paths.ts'

const AGGREGATIONS = ['sum', 'count', 'unique', 'max', 'min', 'avg', 'latest'] as const
type Aggregation = (typeof AGGREGATIONS)[number]

/** Pick a stored event, click a property to make it the value or a dimension; what stored events would count as stands below. */
export function MeterBuilder({
  meter,
  eventType,
  onClose,
}: {
  meter?: Shape<'Meter'>
  eventType?: string | undefined
  onClose: () => void
}) {
  const client = useQueryClient()
  const mayAdmin = useMay('admin')
  const [key, setKey] = useState(meter?.key ?? '')
  const [type, setType] = useState(meter?.eventType ?? eventType ?? '')
  const [aggregation, setAggregation] = useState<Aggregation>(meter?.aggregation ?? 'sum')
  const [value, setValue] = useState([meter?.value ?? []].flat().join(', '))
  const [dimensions, setDimensions] = useState<Readonly<Record<string, string>>>(meter?.dimensions ?? {})
  const events = useQuery({
    queryKey: ['events', 'of-type', type],
    queryFn: () => answered(api.GET('/v1/events', { params: { query: { limit: 50, ...(type === '' ? {} : { type }) } } })),
  })
  const values = value.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()]))
  const { key: _key, status, createdAt, updatedAt, ...kept } = meter ?? ({} as Partial<Shape<'Meter'>>)
  const body = {
    ...kept,
    eventType: type,
    aggregation,
    dimensions,
    value: aggregation === 'count' || values.length === 0 ? undefined : values.length === 1 ? values[0] : values,
  }
  const { submit, isBusy, errors, wrong } = useForm(async () => {
    await answered(api.PUT('/v1/meters/{key}', { params: { path: { key } }, body: body as Shape<'MeterInput'> }))
    await client.invalidateQueries({ queryKey: ['meters'] })
    say(`Meter ${key} counts.`)
    onClose()
  })
  // Several, as one event may lack what the others have.
  const samples = (events.data?.data ?? []).filter((event) => type === '' || event.type === type).map(({ data }) => data)
  const types = [...new Set(events.data?.data.map((event) => event.type))]
  const paths = [...new Set(samples.flatMap((data) => pathsOf(data)))]
  const numbers = new Set(samples.flatMap((data) => [...numbersIn(data)]))
  const toggle = (path: string) => {
    const name = path.split('.').at(-1) ?? path
    if (numbers.has(path))
      setValue(values.includes(path) ? values.filter((each) => each !== path).join(', ') : [...values, path].join(', '))
    else if (Object.values(dimensions).includes(path))
      setDimensions(Object.fromEntries(Object.entries(dimensions).filter(([, each]) => each !== path)))
    else setDimensions({ ...dimensions, [name]: path })
  }
  const title = meter === undefined ? 'New meter' : `Meter ${meter.key}`
  return (
    <Drawer
      title={title}
      label={title}
      isWide
      onClose={onClose}
      foot={
        <>
          <CopyCurl method="PUT" path={`/v1/meters/${encodeURIComponent(key || '<key>')}`} body={body} />
          <button
            type="submit"
            form="meter-form"
            className="button button-primary"
            disabled={isBusy || !mayAdmin}
            title={mayAdmin ? undefined : 'Needs scope admin'}
          >
            {isBusy ? 'Counting what was before…' : meter === undefined ? 'Make meter' : 'Save'}
          </button>
        </>
      }
    >
      <form id="meter-form" className="form" onSubmit={(event) => void submit(event)}>
        <div className="form-row">
          <TextField label="Key" value={key} onChange={setKey} error={errors.key} isDisabled={meter !== undefined} placeholder="tokens" />
          <TextField
            label="Event type"
            value={type}
            onChange={setType}
            error={errors.eventType}
            hint={type === '' && types.length > 0 ? `Seen lately: ${types.slice(0, 4).join(', ')}` : undefined}
          />
          <SelectField
            label="Counts"
            value={aggregation}
            onChange={(name) => setAggregation(name as Aggregation)}
            error={errors.aggregation}
            options={options(AGGREGATIONS)}
          />
        </div>
        {aggregation === 'count' ? null : (
          <TextField
            label="Value"
            value={value}
            onChange={setValue}
            error={errors.value}
            placeholder="tokens"
            hint="A property or an expression; several with commas are added."
          />
        )}
        {paths.length === 0 ? (
          <p className="small muted">No stored event of this type to pick properties from.</p>
        ) : (
          <section className="stack" aria-label="Properties of stored events">
            <h3>Properties of stored events</h3>
            <p className="small muted">A number becomes part of the value, anything else a dimension.</p>
            <div className="row wrap">
              {paths.map((path) => {
                const isChosen = values.includes(path) || Object.values(dimensions).includes(path)
                return (
                  <button key={path} type="button" className="button button-s" aria-pressed={isChosen} onClick={() => toggle(path)}>
                    <code>{path}</code> {isChosen ? (values.includes(path) ? 'value' : 'dimension') : ''}
                  </button>
                )
              })}
            </div>
          </section>
        )}
        {Object.keys(dimensions).length === 0 ? null : <p className="small muted">Dimensions: {Object.keys(dimensions).join(', ')}</p>}
        {wrong}
      </form>
      <MeterPreview events={(events.data?.data ?? []).filter((event) => event.type === type)} aggregation={aggregation} values={values} />
    </Drawer>
  )
}

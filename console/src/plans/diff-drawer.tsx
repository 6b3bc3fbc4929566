import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { answered, api, type Shape } from '../api/client.ts'
import { Drawer } from '../parts/drawer.tsx'
import { SelectField } from '../parts/form.tsx'
import { Loaded } from '../parts/loaded.tsx'
import { diffOf } from './diff.ts'

/** The draft beside any version that was sold, field by field. */
export function DiffDrawer({ sold, draft, onClose }: { sold: Shape<'Plan'>; draft: Shape<'PlanInput'>; onClose: () => void }) {
  const [version, setVersion] = useState(String(sold.version))
  const other = useQuery({
    queryKey: ['plan', sold.key, version],
    queryFn: () => answered(api.GET('/v1/plans/{key}', { params: { path: { key: sold.key }, query: { version: Number(version) } } })),
  })
  const versions = Array.from({ length: sold.version }, (_, at) => String(sold.version - at))
  return (
    <Drawer title="Compare" label="Compare versions" isWide onClose={onClose}>
      <SelectField
        label="With version"
        value={version}
        onChange={setVersion}
        options={versions.map((value) => ({ value, label: `version ${value}` }))}
      />
      <Loaded of={other}>{(plan) => <DiffTable plan={plan} draft={draft} />}</Loaded>
    </Drawer>
  )
}

function DiffTable({ plan, draft }: { plan: Shape<'Plan'>; draft: Shape<'PlanInput'> }) {
  const { key, version, createdAt, updatedAt, archivedAt, ...before } = plan
  const rows = diffOf(before, draft)
  if (rows.length === 0) return <p className="muted">Nothing differs from version {version}.</p>
  return (
    <div className="sample">
      <table className="table">
        <caption className="visually-hidden">Differences</caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Version {version}</th>
            <th scope="col">Draft</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ path, before: was, after }) => (
            <tr key={path}>
              <td>
                <code>{path}</code>
              </td>
              <td className="bad">{was ?? '–'}</td>
              <td className="ok">{after ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

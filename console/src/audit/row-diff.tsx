type Row = Readonly<Record<string, unknown>> | null

/** Fields before and after; those that stayed the same are not shown when a row changed. */
export function RowDiff({ before, after }: { before: Row; after: Row }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
  const isChange = before !== null && after !== null
  const shown = names.filter((name) => !isChange || textOf(before[name]) !== textOf(after[name]))
  return (
    <div className="sample">
      <table className="table">
        <caption className="visually-hidden">Before and after</caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            {before === null ? null : <th scope="col">Before</th>}
            {after === null ? null : <th scope="col">After</th>}
          </tr>
        </thead>
        <tbody>
          {shown.map((name) => (
            <tr key={name}>
              <td>
                <code>{name}</code>
              </td>
              {before === null ? null : <td className="bad">{textOf(before[name])}</td>}
              {after === null ? null : <td className="ok">{textOf(after[name])}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
}

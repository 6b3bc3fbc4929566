import { ArrowDown, ArrowUp } from 'lucide-react'
import { type ReactNode, useMemo, useState } from 'react'

export type Column<Row> = {
  readonly name: string
  readonly head: ReactNode
  readonly cell: (row: Row) => ReactNode
  /** Right-aligned, as figures are. */
  readonly isFigure?: boolean
  readonly isTight?: boolean
  /** Makes the column sortable. */
  readonly compare?: (a: Row, b: Row) => number
}

type DataTableProps<Row> = {
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row) => string
  readonly onOpen?: (row: Row) => void
  readonly openKey?: string | null
  readonly foot?: ReactNode
}

/** The one table. It scrolls within its card, a column with `compare` sorts, `Enter` opens the row in focus, `j` and `k` move. */
export function DataTable<Row>({ caption, columns, rows, rowKey, onOpen, openKey = null, foot }: DataTableProps<Row>) {
  const [sort, setSort] = useState<{ readonly name: string; readonly isDown: boolean } | null>(null)
  const sorted = useMemo(() => {
    const compare = columns.find(({ name }) => name === sort?.name)?.compare
    if (compare === undefined || sort === null) return rows
    return [...rows].sort((a, b) => (sort.isDown ? -compare(a, b) : compare(a, b)))
  }, [rows, columns, sort])
  return (
    <section className="scroll" tabIndex={0} aria-label={caption}>
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" className={classOf(column)} aria-sort={ariaSort(column.name, sort)}>
                {column.compare === undefined ? column.head : <SortButton column={column} sort={sort} onSort={setSort} />}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => {
            const key = rowKey(row)
            const open = onOpen === undefined ? {} : { 'data-opens': '', tabIndex: 0, onClick: () => onOpen(row) }
            return (
              <tr
                key={key}
                {...open}
                aria-current={openKey === key ? 'true' : undefined}
                onKeyDown={(event) => {
                  if (event.target !== event.currentTarget) return
                  if (event.key === 'Enter') onOpen?.(row)
                  if (event.key === 'j') (event.currentTarget.nextElementSibling as HTMLElement | null)?.focus()
                  if (event.key === 'k') (event.currentTarget.previousElementSibling as HTMLElement | null)?.focus()
                }}
              >
                {columns.map((column) => (
                  <td key={column.name} className={classOf(column)}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            )
          })}
        </tbody>
        {foot === undefined ? null : <tfoot>{foot}</tfoot>}
      </table>
    </section>
  )
}

type Sort = { readonly name: string; readonly isDown: boolean } | null

function SortButton<Row>({ column, sort, onSort }: { column: Column<Row>; sort: Sort; onSort: (sort: Sort) => void }) {
  const isSorted = sort?.name === column.name
  const Arrow = sort?.isDown === true ? ArrowDown : ArrowUp
  return (
    <button type="button" onClick={() => onSort({ name: column.name, isDown: isSorted ? !sort.isDown : column.isFigure === true })}>
      {column.head}
      {isSorted ? <Arrow className="icon icon-s" aria-hidden /> : null}
    </button>
  )
}

function ariaSort(name: string, sort: Sort): 'ascending' | 'descending' | undefined {
  return sort?.name === name ? (sort.isDown ? 'descending' : 'ascending') : undefined
}

function classOf({ isFigure = false, isTight = false }: { isFigure?: boolean; isTight?: boolean }): string | undefined {
  const names = [isFigure ? 'n' : '', isTight ? 'tight' : ''].filter((name) => name !== '').join(' ')
  return names === '' ? undefined : names
}

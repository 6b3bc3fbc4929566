import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { FileText, Layers, type LucideIcon, Search, Users, Wand } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { answered, api } from '../api/client.ts'
import { useModal } from '../parts/drawer.tsx'
import { ROOMS } from './rooms.ts'

type Entry = {
  readonly id: string
  readonly group: string
  readonly label: string
  readonly hint?: string
  readonly icon: LucideIcon
  readonly to: string
}

const ACTIONS: readonly Entry[] = [
  { id: 'guide', group: 'Actions', label: 'First-run guide', icon: Wand, to: '/?guide=on' },
  { id: 'new-meter', group: 'Actions', label: 'Make a meter', icon: Wand, to: '/meters?new=on' },
  { id: 'new-plan', group: 'Actions', label: 'Make a plan', icon: Wand, to: '/plans/new' },
  { id: 'new-customer', group: 'Actions', label: 'Make a customer', icon: Wand, to: '/customers?new=on' },
  { id: 'new-key', group: 'Actions', label: 'Make a key', icon: Wand, to: '/keys?new=on' },
  { id: 'send-event', group: 'Actions', label: 'Send a test event', icon: Wand, to: '/events?send=on' },
  { id: 'run', group: 'Actions', label: 'Begin a billing run', icon: Wand, to: '/billing-runs' },
]

export function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useModal()
  const navigate = useNavigate()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const entries = useEntries(text)
  const choose = (entry: Entry | undefined) => {
    if (entry === undefined) return
    dialog.current?.close()
    const [to = '/', query = ''] = entry.to.split('?')
    void navigate({ to, search: Object.fromEntries(new URLSearchParams(query)) as never })
  }
  const move = (step: number) => setAt((at + step + entries.length) % Math.max(1, entries.length))
  return (
    <dialog ref={dialog} className="palette" aria-label="Find or do anything" onClose={onClose}>
      <div className="palette-input">
        <Search className="icon" aria-hidden />
        <input
          // biome-ignore lint/a11y/noAutofocus: the palette is opened to type in it
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={entries[at] === undefined ? undefined : `palette-${entries[at].id}`}
          aria-label="Find or do anything"
          placeholder="A page, customer, invoice number, event id, plan, action…"
          value={text}
          onChange={(event) => {
            setText(event.target.value)
            setAt(0)
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') move(1)
            else if (event.key === 'ArrowUp') move(-1)
            else if (event.key === 'Enter') choose(entries[at])
            else return
            event.preventDefault()
          }}
        />
        <kbd>Esc</kbd>
      </div>
      <div className="palette-list" id="palette-list" role="listbox" aria-label="What was found">
        {entries.map((entry, index) => (
          <div key={entry.id} role="presentation">
            {entry.group === entries[index - 1]?.group ? null : (
              <div className="group" role="presentation">
                {entry.group}
              </div>
            )}
            <button
              type="button"
              tabIndex={-1}
              id={`palette-${entry.id}`}
              role="option"
              aria-selected={index === at}
              className="menu-item"
              onPointerEnter={() => setAt(index)}
              onClick={() => choose(entry)}
            >
              <entry.icon className="icon" aria-hidden /> {entry.label}
              {entry.hint === undefined ? null : <span className="faint small">{entry.hint}</span>}
            </button>
          </div>
        ))}
        {entries.length === 0 ? <p className="pad muted">Nothing has this name.</p> : null}
      </div>
    </dialog>
  )
}

const FOUND_MAX = 6

function useEntries(typed: string): readonly Entry[] {
  const text = useDeferredValue(typed.trim())
  const wanted = text.toLowerCase()
  const rooms = ROOMS.map(({ path, title, icon, words }) => ({ id: `room-${path}`, group: 'Pages', label: title, icon, to: path, words }))
  const here = [...rooms, ...ACTIONS.map((action) => ({ ...action, words: '' }))].filter(({ label, words }) =>
    `${label} ${words}`.toLowerCase().includes(wanted),
  )
  const { data: customers } = useQuery({
    queryKey: ['palette', 'customers', text],
    queryFn: () => answered(api.GET('/v1/customers', { params: { query: { search: text, limit: FOUND_MAX } } })),
    enabled: text.length >= 2,
    staleTime: 10_000,
  })
  const { data: plans } = useQuery({
    queryKey: ['palette', 'plans'],
    queryFn: () => answered(api.GET('/v1/plans', { params: { query: { limit: 100 } } })),
    staleTime: 30_000,
  })
  const found: Entry[] = []
  if (text.length >= 2) {
    for (const { key, name } of customers?.data ?? [])
      found.push({
        id: `c-${key}`,
        group: 'Customers',
        label: name ?? key,
        hint: key,
        icon: Users,
        to: `/customers/${encodeURIComponent(key)}`,
      })
    for (const { key, name } of plans?.data ?? []) {
      if (`${key} ${name}`.toLowerCase().includes(wanted))
        found.push({ id: `p-${key}`, group: 'Plans', label: name, hint: key, icon: Layers, to: `/plans/${encodeURIComponent(key)}` })
    }
    found.push({ id: 'event', group: 'Search', label: `Event with id ${text}`, icon: Search, to: `/events?id=${encodeURIComponent(text)}` })
    found.push({
      id: 'invoice',
      group: 'Search',
      label: `Invoices of customer ${text}`,
      icon: FileText,
      to: `/invoices?customer=${encodeURIComponent(text)}`,
    })
  }
  return [...found.slice(0, -2), ...here, ...found.slice(-2)]
}

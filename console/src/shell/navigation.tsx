import { Link, useRouterState } from '@tanstack/react-router'
import { Building2 } from 'lucide-react'
import { Brand } from './brand.tsx'
import { ROOM_GROUPS } from './rooms.ts'
import { useSession } from './session.ts'

export function Navigation({ onChosen }: { onChosen?: () => void }) {
  const path = useRouterState({ select: ({ location }) => location.pathname })
  const { data: session } = useSession()
  return (
    <nav className="side" aria-label="Pages">
      <Link to="/" className="brand" onClick={onChosen}>
        <Brand /> Tollgate
      </Link>
      <div className="tenant" title="Tenant of the key that is signed in">
        <Building2 className="icon" aria-hidden /> {session?.tenant ?? '–'}
      </div>
      {ROOM_GROUPS.map(({ name, rooms }) => (
        <div key={name ?? 'first'}>
          {name === null ? null : <div className="group">{name}</div>}
          {rooms.map(({ path: to, title, icon: Icon }) => (
            <Link key={to} to={to} className="nav" aria-current={isIn(path, to) ? 'page' : undefined} onClick={onChosen}>
              <Icon className="icon" aria-hidden /> {title}
            </Link>
          ))}
        </div>
      ))}
    </nav>
  )
}

function isIn(path: string, room: string): boolean {
  return room === '/' ? path === '/' : path === room || path.startsWith(`${room}/`)
}

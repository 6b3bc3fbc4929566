import { Link, useMatches } from '@tanstack/react-router'
import { CircleUserRound, Menu, Monitor, Moon, Pause, Play, Search, Sun } from 'lucide-react'
import { usePaused } from '../api/live.ts'
import { Choice } from '../parts/choice.tsx'
import { browserZone, type Theme, useSingleKeys, useTheme, useZone } from './preferences.ts'
import { ROOMS } from './rooms.ts'
import { useSession, useSignOut } from './session.ts'
import { useOpen } from './use-open.ts'

type TopBarProps = { readonly onPalette: () => void; readonly onMenu: () => void; readonly onKeys: () => void }

export function TopBar({ onPalette, onMenu, onKeys }: TopBarProps) {
  return (
    <header className="top">
      <button type="button" className="button button-icon menu-button" aria-label="Pages" onClick={onMenu}>
        <Menu className="icon" aria-hidden />
      </button>
      <Crumbs />
      <div className="row end">
        <LiveButton />
        <button type="button" className="seek" onClick={onPalette}>
          <Search className="icon" aria-hidden /> Find or do anything <kbd>Ctrl K</kbd>
        </button>
        <ZoneChoice />
        <ThemeButton />
        <UserMenu onKeys={onKeys} />
      </div>
    </header>
  )
}

function Crumbs() {
  const path = useMatches({ select: (matches) => matches.at(-1)?.pathname ?? '/' })
  const room = ROOMS.find(({ path: to }) => to !== '/' && path.startsWith(to)) ?? ROOMS[0]
  const rest = room === undefined || room.path === '/' ? '' : path.slice(room.path.length + 1)
  return (
    <nav className="crumbs" aria-label="Where you are">
      {rest === '' ? (
        <b>{room?.title}</b>
      ) : (
        <>
          <Link to={room?.path ?? '/'} className="nowrap">
            {room?.title}
          </Link>
          <span aria-hidden>/</span>
          <b className="nowrap">{decodeURIComponent(rest).slice(0, 40)}</b>
        </>
      )}
    </nav>
  )
}

function LiveButton() {
  const [isPaused, setPaused] = usePaused()
  const Icon = isPaused ? Play : Pause
  return (
    <button
      type="button"
      className="live button-quiet button button-s"
      aria-pressed={isPaused}
      onClick={() => setPaused(!isPaused)}
      title={isPaused ? 'Go on' : 'Stand still'}
    >
      {isPaused ? null : <i />}
      <span className="live-words">{isPaused ? 'Paused' : 'Live'}</span>
      <Icon className="icon icon-s" aria-label={isPaused ? 'Go on' : 'Pause'} />
    </button>
  )
}

function ZoneChoice() {
  const [zone, setZone] = useZone()
  const own = browserZone()
  const zones = [...new Set(['UTC', own, zone])]
  const all = Intl.supportedValuesOf('timeZone').filter((each) => !zones.includes(each))
  return (
    <Choice
      label="Time zone"
      prefix="Times in"
      value={zone}
      onChange={setZone}
      options={[...zones, ...all].map((each) => ({ value: each, label: each }))}
    />
  )
}

const THEMES: Readonly<Record<Theme, { readonly next: Theme; readonly icon: typeof Sun; readonly says: string }>> = {
  system: { next: 'light', icon: Monitor, says: 'as the system' },
  light: { next: 'dark', icon: Sun, says: 'light' },
  dark: { next: 'system', icon: Moon, says: 'dark' },
}

function ThemeButton() {
  const [theme, setTheme] = useTheme()
  const { next, icon: Icon, says } = THEMES[theme]
  return (
    <button
      type="button"
      className="button button-quiet button-icon"
      aria-label={`Colours: ${says}`}
      title={`Colours: ${says}`}
      onClick={() => setTheme(next)}
    >
      <Icon className="icon" aria-hidden />
    </button>
  )
}

function UserMenu({ onKeys }: { onKeys: () => void }) {
  const { data: session } = useSession()
  const signOut = useSignOut()
  const [isOpen, setOpen, box] = useOpen()
  const [singleKeys, setSingleKeys] = useSingleKeys()
  return (
    <div className="menu" ref={box}>
      <button
        type="button"
        className="button button-quiet button-icon"
        aria-label="You"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <CircleUserRound className="icon" aria-hidden />
      </button>
      {isOpen ? (
        <div className="floating">
          <div className="pad">
            <div className="strong">{session?.key.name}</div>
            <div className="small muted">{session?.scopes.join(', ')}</div>
          </div>
          <div className="menu-line" />
          <button type="button" className="menu-item" onClick={onKeys}>
            Keys of the keyboard <kbd>?</kbd>
          </button>
          <button
            type="button"
            className="menu-item"
            aria-pressed={singleKeys === 'off'}
            onClick={() => setSingleKeys(singleKeys === 'on' ? 'off' : 'on')}
          >
            Single keys: {singleKeys}
          </button>
          <a className="menu-item" href="/docs" target="_blank" rel="noreferrer">
            API reference
          </a>
          <div className="menu-line" />
          <button type="button" className="menu-item" onClick={() => void signOut()}>
            Sign out
          </button>
          <div className="pad xs faint">Tollgate {session?.version}</div>
        </div>
      ) : null}
    </div>
  )
}

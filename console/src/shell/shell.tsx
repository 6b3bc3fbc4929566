import { Outlet, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState } from 'react'
import { useModal } from '../parts/drawer.tsx'
import { ProblemView } from '../parts/problem-view.tsx'
import { copyPlainDigits } from '../parts/quantity.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { KeyboardHelp } from './keyboard-help.tsx'
import { Navigation } from './navigation.tsx'
import { useSession } from './session.ts'
import { useShortcuts } from './shortcuts.ts'
import { SignIn } from './sign-in.tsx'
import { TopBar } from './top-bar.tsx'

const Palette = lazy(() => import('./palette.tsx').then(({ Palette }) => ({ default: Palette })))

/** The frame of every page: nobody sees more of it than the sign-in before the server says who it is. */
export function Shell() {
  const session = useSession()
  if (session.data === undefined)
    return session.error === null ? null : <ProblemView error={session.error} onRetry={() => void session.refetch()} />
  return session.data === null ? <SignIn /> : <Frame />
}

function Frame() {
  const [open, setOpen] = useState<'palette' | 'menu' | 'keys' | null>(null)
  const navigate = useNavigate()
  useShortcuts({ onPalette: () => setOpen('palette'), onKeys: () => setOpen('keys'), onGo: (to) => void navigate({ to }) })
  useEffect(() => {
    document.addEventListener('copy', copyPlainDigits)
    return () => document.removeEventListener('copy', copyPlainDigits)
  }, [])
  return (
    <>
      <a className="skip" href="#main">
        To the content
      </a>
      <div className="shell">
        <Navigation />
        <div>
          <TopBar onPalette={() => setOpen('palette')} onMenu={() => setOpen('menu')} onKeys={() => setOpen('keys')} />
          <main id="main" className="main" tabIndex={-1}>
            <Outlet />
          </main>
        </div>
      </div>
      {open === 'palette' ? (
        <Suspense>
          <Palette onClose={() => setOpen(null)} />
        </Suspense>
      ) : null}
      {open === 'keys' ? <KeyboardHelp onClose={() => setOpen(null)} /> : null}
      {open === 'menu' ? <NavigationDrawer onClose={() => setOpen(null)} /> : null}
      <Toasts />
    </>
  )
}

function NavigationDrawer({ onClose }: { onClose: () => void }) {
  const dialog = useModal()
  return (
    <dialog
      ref={dialog}
      className="drawer nav-drawer"
      aria-label="Pages"
      onClose={onClose}
      onPointerDown={(event) => {
        if (event.target === dialog.current) dialog.current?.close()
      }}
    >
      <Navigation onChosen={() => dialog.current?.close()} />
    </dialog>
  )
}

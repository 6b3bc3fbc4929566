export type ExitNotice = {
  /** The process has nothing left to do (Node, Bun, Deno). Work begun now is waited for, and this is called again after it. */
  readonly beforeExit: () => void
  /** The page is hidden or closed, and may come back. */
  readonly leave: () => void
}

/** Calls `notice` before the process or page ends. Returns a function that stops listening. */
export function onExitNotice(notice: ExitNotice): () => void {
  if (notices.size === 0) listen()
  notices.add(notice)
  return () => {
    notices.delete(notice)
    if (notices.size === 0) stopListening()
  }
}

/** All clients share one listener of each kind, as a process warns of more than ten. */
const notices = new Set<ExitNotice>()
let stopListening: () => void = () => undefined

function listen(): void {
  const { process, document, window } = globalThis as unknown as Surroundings
  const leave = () => {
    for (const notice of notices) notice.leave()
  }
  // The page is asked first, as bundlers give pages a `process` that never emits anything.
  if (document?.addEventListener && window?.addEventListener) {
    const onHidden = () => {
      if (document.visibilityState === 'hidden') leave()
    }
    document.addEventListener('visibilitychange', onHidden)
    window.addEventListener('pagehide', leave)
    stopListening = () => {
      document.removeEventListener('visibilitychange', onHidden)
      window.removeEventListener('pagehide', leave)
    }
    return
  }
  const beforeExit = () => {
    for (const notice of notices) notice.beforeExit()
  }
  process?.on?.('beforeExit', beforeExit)
  stopListening = () => process?.off?.('beforeExit', beforeExit)
}

type Listen = (event: string, listener: () => void) => void
type Listening = { readonly addEventListener: Listen; readonly removeEventListener: Listen }
type Surroundings = {
  readonly process?: { readonly on?: Listen; readonly off?: Listen }
  readonly document?: Listening & { readonly visibilityState?: string }
  readonly window?: Listening
}

import type { ReactNode } from 'react'

export type Tone = 'plain' | 'ok' | 'warn' | 'bad' | 'info' | 'line'

/** A state by colour and word, never by colour alone. */
export function Badge({ tone = 'plain', hasDot = false, children }: { tone?: Tone; hasDot?: boolean; children: ReactNode }) {
  return (
    <span className={tone === 'plain' ? 'badge' : `badge badge-${tone}`}>
      {hasDot ? <span className="dot" /> : null}
      {children}
    </span>
  )
}

import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'

/** What would stand here, and the one thing to do about it. */
export function Empty({ icon: Icon, title, children }: { icon: LucideIcon; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon className="icon" aria-hidden />
      <h3>{title}</h3>
      {children}
    </div>
  )
}

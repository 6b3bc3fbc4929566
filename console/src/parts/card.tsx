import type { ReactNode } from 'react'

type CardProps = {
  readonly title?: ReactNode
  readonly hint?: ReactNode
  readonly actions?: ReactNode
  readonly foot?: ReactNode
  /** Without the padding of the body, for lists and tables. */
  readonly isFlush?: boolean
  readonly children?: ReactNode
}

export function Card({ title, hint, actions, foot, isFlush = false, children }: CardProps) {
  return (
    <section className="card">
      {title === undefined ? null : (
        <div className="card-head">
          <h2>{title}</h2>
          {hint === undefined ? null : <span className="hint">{hint}</span>}
          {actions === undefined ? null : <div className="row end wrap">{actions}</div>}
        </div>
      )}
      {isFlush ? children : <div className={title === undefined ? 'pad' : 'card-body'}>{children}</div>}
      {foot === undefined ? null : <div className="card-foot">{foot}</div>}
    </section>
  )
}

import { type ReactNode, useEffect, useRef } from 'react'

type PageHeadProps = {
  readonly title: string
  readonly badges?: ReactNode
  readonly sub?: ReactNode
  readonly before?: ReactNode
  readonly children?: ReactNode
}

/** The one h1 of a page. Focus moves to it on navigation, so that a reader hears where it is. */
export function PageHead({ title, badges, sub, before, children }: PageHeadProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · Tollgate`
    if (document.activeElement === document.body || document.activeElement?.closest('nav') !== null)
      heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <div className="page-head">
      {before}
      <div className="grow-1">
        <div className="row wrap">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {badges}
        </div>
        {sub === undefined ? null : <p className="sub">{sub}</p>}
      </div>
      {children === undefined ? null : <div className="row end wrap">{children}</div>}
    </div>
  )
}

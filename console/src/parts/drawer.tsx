import { X } from 'lucide-react'
import { type ReactNode, useEffect, useRef } from 'react'

type DrawerProps = {
  readonly title: ReactNode
  readonly label: string
  readonly isWide?: boolean
  readonly onClose: () => void
  readonly foot?: ReactNode
  readonly children: ReactNode
}

/** A sheet at the right, over the page: the browser's own modal dialog, so focus stays in it and goes back to what opened it. */
export function Drawer({ title, label, isWide = false, onClose, foot, children }: DrawerProps) {
  const dialog = useModal()
  return (
    <dialog ref={dialog} className={isWide ? 'drawer drawer-wide' : 'drawer'} aria-label={label} onClose={onClose}>
      <div className="drawer-head">
        <h2>{title}</h2>
        <button
          type="button"
          className="button button-quiet button-icon button-s end"
          aria-label="Close"
          onClick={() => dialog.current?.close()}
        >
          <X className="icon" aria-hidden />
        </button>
      </div>
      <div className="drawer-body" tabIndex={0} role="group" aria-label={label}>
        {children}
      </div>
      {foot === undefined ? null : <div className="drawer-foot">{foot}</div>}
    </dialog>
  )
}

/** Opens the dialog as modal when it appears. */
export function useModal() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const opened = dialog.current
    const opener = document.activeElement
    if (opened !== null && !opened.open) opened.showModal()
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
    }
  }, [])
  return dialog
}

import { type ReactNode, useState } from 'react'
import { useModal } from './drawer.tsx'
import { ProblemView } from './problem-view.tsx'

type ConfirmProps = {
  readonly title: string
  /** What will happen, in figures. */
  readonly children: ReactNode
  readonly action: string
  readonly isDangerous?: boolean
  readonly onConfirm: () => Promise<void>
  readonly onClose: () => void
}

export function Confirm({ title, children, action, isDangerous = false, onConfirm, onClose }: ConfirmProps) {
  const dialog = useModal()
  const [error, setError] = useState<unknown>(null)
  const [isBusy, setBusy] = useState(false)
  const confirm = async () => {
    setBusy(true)
    setError(null)
    try {
      await onConfirm()
      dialog.current?.close()
    } catch (wrong) {
      setError(wrong)
      setBusy(false)
    }
  }
  return (
    <dialog ref={dialog} className="confirm" aria-label={title} onClose={onClose}>
      <div className="drawer-head">
        <h2>{title}</h2>
      </div>
      <div className="pad">{children}</div>
      {error === null ? null : <ProblemView error={error} />}
      <div className="drawer-foot">
        <button type="button" className="button" onClick={() => dialog.current?.close()}>
          Not now
        </button>
        <button
          type="button"
          className={`button ${isDangerous ? 'button-danger' : 'button-primary'}`}
          disabled={isBusy}
          onClick={() => void confirm()}
        >
          {action}
        </button>
      </div>
    </dialog>
  )
}

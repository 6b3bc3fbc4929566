import { FileDown } from 'lucide-react'
import { useState } from 'react'
import { ProblemError, problemOf } from '../api/problem.ts'
import { ProblemView } from '../parts/problem-view.tsx'

/** The document as PDF, in a tab of its own: the route answers it to whoever asks for the type. */
export function PdfButton({ id, name }: { id: string; name: string }) {
  const [error, setError] = useState<unknown>(null)
  const open = async () => {
    setError(null)
    try {
      const response = await fetch(`/console/api/v1/invoices/${encodeURIComponent(id)}`, { headers: { accept: 'application/pdf' } })
      if (!response.ok) throw new ProblemError(problemOf(await response.json().catch(() => null), response))
      const link = document.createElement('a')
      link.href = URL.createObjectURL(await response.blob())
      link.target = '_blank'
      link.rel = 'noreferrer'
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS)
    } catch (wrong) {
      setError(wrong)
    }
  }
  return (
    <>
      <button type="button" className="button" onClick={() => void open()} aria-label={`PDF of ${name}`}>
        <FileDown className="icon" aria-hidden /> PDF
      </button>
      {error === null ? null : <ProblemView error={error} />}
    </>
  )
}

/** Long enough for the tab to have read it. */
const KEPT_MS = 60_000

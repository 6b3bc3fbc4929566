import { Check, Copy } from 'lucide-react'
import { useState } from 'react'

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [isDone, setDone] = useState(false)
  const copy = async () => {
    await navigator.clipboard?.writeText(text)
    setDone(true)
    setTimeout(() => setDone(false), 1_500)
  }
  const Icon = isDone ? Check : Copy
  return (
    <button type="button" className="button button-s" onClick={() => void copy()}>
      <Icon className="icon icon-s" aria-hidden /> {isDone ? 'Copied' : label}
    </button>
  )
}

/** The call that a page makes, for a terminal. The key is a variable of the shell, so that no secret is copied. */
export function curlOf(method: string, path: string, body?: object): string {
  const lines = [
    `curl -s${method === 'GET' ? '' : ` -X ${method}`} "${location.origin}${path}"`,
    '-H "Authorization: Bearer $TOLLGATE_KEY"',
  ]
  if (body !== undefined) lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`)
  return lines.join(' \\\n  ')
}

export function CopyCurl({ method = 'GET', path, body }: { method?: string; path: string; body?: object }) {
  return <CopyButton label="curl" text={curlOf(method, path, body)} />
}

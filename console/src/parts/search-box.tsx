import { useEffect, useState } from 'react'

const DEBOUNCE_MS = 250

/** A filter that is typed: asked for when the hand rests. */
export function SearchBox({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => onChange(text.trim()), DEBOUNCE_MS)
    return () => clearTimeout(timer)
  }, [text, value, onChange])
  return (
    <label className="search">
      <span className="visually-hidden">{label}</span>
      <input
        type="search"
        placeholder={label}
        value={text}
        size={Math.max(12, label.length)}
        onChange={(event) => setText(event.target.value)}
      />
    </label>
  )
}

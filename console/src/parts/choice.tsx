import { ChevronDown } from 'lucide-react'

type ChoiceProps = {
  readonly label: string
  /** Stands before the value: `Meter tokens`. */
  readonly prefix?: string
  readonly options: readonly { readonly value: string; readonly label: string }[]
  readonly value: string
  readonly onChange: (value: string) => void
}

/** One of many, in a small frame. The browser's own select, so that it works with any keyboard, reader and phone. */
export function Choice({ label, prefix, options, value, onChange }: ChoiceProps) {
  return (
    <label className="select select-s choice">
      {prefix === undefined ? null : <span className="key">{prefix}</span>}
      <select aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown className="icon icon-s" aria-hidden />
    </label>
  )
}

import { type FormEvent, type ReactNode, useId, useRef, useState } from 'react'
import { fieldErrors } from '../api/problem.ts'
import { ProblemView } from './problem-view.tsx'

/** A form whose one judge is the server: its `errors` land on the fields by their names in the API, and what was typed stays. */
export function useForm(send: (idempotencyKey: string) => Promise<void>) {
  const [error, setError] = useState<unknown>(null)
  const [isBusy, setBusy] = useState(false)
  // One per opened form: a double click is one grant.
  const idempotencyKey = useRef(crypto.randomUUID())
  const errors = fieldErrors(error)
  const submit = async (event?: FormEvent) => {
    event?.preventDefault()
    if (isBusy) return
    setBusy(true)
    setError(null)
    try {
      await send(idempotencyKey.current)
      idempotencyKey.current = crypto.randomUUID()
    } catch (wrong) {
      setError(wrong)
      // Another body needs another key.
      idempotencyKey.current = crypto.randomUUID()
    } finally {
      setBusy(false)
    }
  }
  return { submit, isBusy, error, errors, wrong: error === null ? null : <ProblemView error={error} /> }
}

type FieldProps = {
  readonly label: string
  readonly hint?: ReactNode
  readonly error?: string | undefined
  readonly children: (props: { id: string; 'aria-invalid': boolean; 'aria-describedby': string | undefined }) => ReactNode
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId()
  const note = `${id}-note`
  const hasNote = error !== undefined || hint !== undefined
  return (
    <div className="field">
      <label className="label" htmlFor={id}>
        {label}
      </label>
      {children({ id, 'aria-invalid': error !== undefined, 'aria-describedby': hasNote ? note : undefined })}
      {error !== undefined ? (
        <span id={note} className="field-error">
          {error}
        </span>
      ) : hint !== undefined ? (
        <span id={note} className="field-hint">
          {hint}
        </span>
      ) : null}
    </div>
  )
}

type InputProps = {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly hint?: ReactNode
  readonly error?: string | undefined
  readonly placeholder?: string
  readonly isDisabled?: boolean
  readonly type?: 'text' | 'password' | 'email' | 'datetime-local' | 'date'
}

export function TextField({ label, value, onChange, hint, error, placeholder, isDisabled = false, type = 'text' }: InputProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(props) => (
        <input
          {...props}
          className="input"
          type={type}
          value={value}
          placeholder={placeholder}
          disabled={isDisabled}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  )
}

/** Decimals are text: `type=number` would lose digits and step under a mouse wheel. */
export function DecimalField({
  label,
  value,
  onChange,
  hint,
  error,
  placeholder,
  unit,
}: InputProps & { readonly unit?: string | undefined }) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(props) => (
        <div className="input-group">
          <input
            {...props}
            className="input input-num"
            inputMode="decimal"
            value={value}
            placeholder={placeholder}
            autoComplete="off"
            onChange={(event) => onChange(event.target.value.replaceAll(',', ''))}
          />
          {unit === undefined ? null : <span className="unit">{unit}</span>}
        </div>
      )}
    </Field>
  )
}

type SelectFieldProps = Omit<InputProps, 'type' | 'placeholder'> & {
  readonly options: readonly { readonly value: string; readonly label: string }[]
}

export function SelectField({ label, value, onChange, hint, error, options, isDisabled = false }: SelectFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(props) => (
        <select {...props} className="input" value={value} disabled={isDisabled} onChange={(event) => onChange(event.target.value)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

export function options(values: readonly string[]): readonly { readonly value: string; readonly label: string }[] {
  return values.map((value) => ({ value, label: value }))
}

import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { COMMERCE_BOUNDS } from '../commerce-bounds.ts'

/** What a form sends. A field that comes twice counts once, the first. */
export type Form = { get(name: string): string | null }

/** Routes of pages read forms and nothing else. */
export function readForms(app: HttpApp): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: COMMERCE_BOUNDS.form.most },
    (_request, body, done: (error: Error | null, form?: Form) => void) => done(null, new URLSearchParams(String(body))),
  )
  app.addContentTypeParser('*', (_request, _payload, done: (error: Error | null) => void) =>
    done(new RefusalError(refuse('unsupported_media_type', { has: null, takes: ['application/x-www-form-urlencoded'] }))),
  )
}

/** Text that was typed, without blanks at its ends; null where nothing was. */
export function typedText(form: Form, name: string, charactersMax: number): string | null {
  const text = (form.get(name) ?? '').trim().normalize('NFC').slice(0, charactersMax)
  return text === '' || /\p{Cc}/u.test(text) ? null : text
}

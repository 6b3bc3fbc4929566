import type { FieldsOf, RefusalRows } from './refusal-row.ts'

/** Refusals of one line among many puts, or of the request that holds them. */
export const BULK_REFUSALS = {
  invalid_put: {
    status: 400,
    means: 'A line of `POST /v1/bulk` does not say what is put where.',
    next: 'Send `{"put": "customers/acme", "body": {…}}` with a collection that can be put in bulk.',
    detail: ({ put }: { put: string | null }) =>
      `a line is {"put": "<collection>/<key>", "body": {…}} with customers, subscriptions, meters, features, products or plans as its collection${put === null ? '' : `, and put was '${put}'`}.`,
  },
  line_too_long: {
    status: 413,
    means: 'A line of `POST /v1/bulk` is too long.',
    next: 'Put less in it.',
    detail: ({ bytesMax }: { bytesMax: number }) => `the line has more than ${bytesMax} bytes, which is the limit; put less in it.`,
  },
  too_many_puts: {
    status: 413,
    means: 'A request of `POST /v1/bulk` has too many lines. The lines before were put.',
    next: 'Send the rest in another request; lines that were put may be sent again.',
    detail: ({ linesMax }: { linesMax: number }) =>
      `the request has more than ${linesMax} lines, which is the limit, and those before were put; send the rest in another request.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof BULK_REFUSALS> {}
}

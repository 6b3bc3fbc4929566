/** The size that bounds a page of events: UTF-8 bytes of the data and of the further attributes, as the store keeps them. */
export function contentBytes(events: readonly { readonly data: string; readonly attributes: string | null }[]): number {
  return events.reduce((sum, { data, attributes }) => sum + Buffer.byteLength(data) + Buffer.byteLength(attributes ?? ''), 0)
}

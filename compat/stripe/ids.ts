/** An id that looks as Stripe's do: `cus_1f0c…`. */
export function idLike(kind: 'cus' | 'prod' | 'price', id: string): string {
  return `${kind}_${id.replaceAll('-', '')}`
}

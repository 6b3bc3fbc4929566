/** How often a person has had something that is counted: by each of the names under which it is known. */
export type PersonUses = ReadonlyMap<string, number>

/**
 * Whether a person may have one more. It is one person under all of these names: the address without `+…`, and the payment method.
 * What is granted counts under each of them.
 */
export function grantToPerson(
  uses: PersonUses,
  names: readonly string[],
  perPersonMax: number,
): { readonly isGranted: boolean; readonly uses: PersonUses } {
  if (names.some((name) => (uses.get(name) ?? 0) >= perPersonMax)) return { isGranted: false, uses }
  const after = new Map(uses)
  for (const name of names) after.set(name, (after.get(name) ?? 0) + 1)
  return { isGranted: true, uses: after }
}

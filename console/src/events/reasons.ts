const REASONS: Readonly<Record<string, string>> = {
  unread_type: 'no meter reads this type',
  missing: 'the value is not in the event',
  not_a_number: 'the value is no number',
  not_exact: 'the value has more than 9 fractional digits',
  too_large: 'the value is too large',
  negative: 'the value is below zero',
}

/** Why an event counts for nothing, in words; a code that is not known here is shown as it is. */
export function reasonText(reason: string, meter: string | null): string {
  const text = REASONS[reason] ?? reason.replaceAll('_', ' ')
  return meter === null ? text : `${text} (meter ${meter})`
}

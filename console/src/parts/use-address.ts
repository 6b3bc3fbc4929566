import { useNavigate, useSearch } from '@tanstack/react-router'

type Address = Readonly<Record<string, string | undefined>>

/** What the address says beside the path: filters, ranges, tabs. A link to it brings the same page back. */
export function useAddress() {
  const search = useSearch({ strict: false }) as Address
  const navigate = useNavigate()
  const change = (next: Address) =>
    void navigate({
      to: '.',
      search: ((before: Address) => withoutEmpty({ ...before, ...next })) as never,
      replace: true,
      resetScroll: false,
    })
  return [search, change] as const
}

function withoutEmpty(search: Address): Address {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined && value !== ''))
}

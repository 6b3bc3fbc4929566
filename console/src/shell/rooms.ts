import {
  Activity,
  CalendarCheck,
  FileText,
  Gauge,
  KeyRound,
  Layers,
  LayoutDashboard,
  type LucideIcon,
  ScrollText,
  Settings,
  TicketPercent,
  ToggleLeft,
  Users,
} from 'lucide-react'

/** Every page that stands in the navigation: one table for it, for the palette and for the keys `g` and a letter. */
export type Room = {
  readonly path: string
  readonly title: string
  readonly icon: LucideIcon
  readonly letter: string
  readonly words: string
}
export const ROOM_GROUPS: readonly { readonly name: string | null; readonly rooms: readonly Room[] }[] = [
  { name: null, rooms: [{ path: '/', title: 'Overview', icon: LayoutDashboard, letter: 'o', words: 'home dashboard' }] },
  {
    name: 'Usage',
    rooms: [
      { path: '/events', title: 'Events', icon: Activity, letter: 'e', words: 'tail uncounted log' },
      { path: '/meters', title: 'Meters', icon: Gauge, letter: 'm', words: 'usage count sum' },
      { path: '/features', title: 'Features', icon: ToggleLeft, letter: 'f', words: 'entitlements limits' },
    ],
  },
  {
    name: 'Selling',
    rooms: [
      { path: '/plans', title: 'Products and plans', icon: Layers, letter: 'p', words: 'prices charges builder' },
      { path: '/coupons', title: 'Coupons and taxes', icon: TicketPercent, letter: 't', words: 'discount vat rates' },
    ],
  },
  { name: 'Customers', rooms: [{ path: '/customers', title: 'Customers', icon: Users, letter: 'c', words: 'accounts balances wallet' }] },
  {
    name: 'Billing',
    rooms: [
      { path: '/invoices', title: 'Invoices', icon: FileText, letter: 'i', words: 'credit notes documents' },
      { path: '/billing-runs', title: 'Billing runs', icon: CalendarCheck, letter: 'b', words: 'month close finalise' },
    ],
  },
  {
    name: 'Developers',
    rooms: [
      { path: '/keys', title: 'Keys and sessions', icon: KeyRound, letter: 'k', words: 'api secrets rotate' },
      { path: '/audit', title: 'Audit log', icon: ScrollText, letter: 'a', words: 'who changed what' },
      { path: '/settings', title: 'Settings', icon: Settings, letter: ',', words: 'seller grace numbering' },
    ],
  },
]
export const ROOMS: readonly Room[] = ROOM_GROUPS.flatMap(({ rooms }) => rooms)

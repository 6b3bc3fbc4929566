import { createRootRoute, createRoute, createRouter, lazyRouteComponent, type RouteComponent } from '@tanstack/react-router'
import { Overview } from './overview/overview.tsx'
import { Shell } from './shell/shell.tsx'

type Search = Readonly<Record<string, string | undefined>>
const root = createRootRoute({
  component: Shell,
  validateSearch: textsOf,
  notFoundComponent: () => <p className="pad">There is no such page.</p>,
})

/** Every path of the console. Overview is in the first load; each other room is loaded when it is opened. */
const PAGES: Readonly<Record<string, RouteComponent>> = {
  '/': Overview,
  '/events': lazyRouteComponent(() => import('./events/events.tsx'), 'Events'),
  '/meters': lazyRouteComponent(() => import('./meters/meters.tsx'), 'Meters'),
  '/features': lazyRouteComponent(() => import('./features/features.tsx'), 'Features'),
  '/plans': lazyRouteComponent(() => import('./plans/plans.tsx'), 'Plans'),
  '/plans/$key': lazyRouteComponent(() => import('./plans/plan.tsx'), 'Plan'),
  '/coupons': lazyRouteComponent(() => import('./coupons/coupons.tsx'), 'Coupons'),
  '/customers': lazyRouteComponent(() => import('./customers/customers.tsx'), 'Customers'),
  '/customers/$key': lazyRouteComponent(() => import('./customers/customer.tsx'), 'Customer'),
  '/invoices': lazyRouteComponent(() => import('./invoices/invoices.tsx'), 'Invoices'),
  '/invoices/$id': lazyRouteComponent(() => import('./invoices/invoice.tsx'), 'Invoice'),
  '/billing-runs': lazyRouteComponent(() => import('./billing-runs/billing-runs.tsx'), 'BillingRuns'),
  '/keys': lazyRouteComponent(() => import('./keys/keys.tsx'), 'Keys'),
  '/audit': lazyRouteComponent(() => import('./audit/audit.tsx'), 'Audit'),
  '/settings': lazyRouteComponent(() => import('./settings/settings.tsx'), 'Settings'),
}

export const router = createRouter({
  routeTree: root.addChildren(
    Object.entries(PAGES).map(([path, component]) => createRoute({ getParentRoute: () => root, path, component })),
  ),
  basepath: '/console',
  defaultPreload: 'intent',
  scrollRestoration: true,
  // Filters stand in the address as plain text.
  parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch: (search: Search) => {
    const text = new URLSearchParams(Object.entries(search).filter((entry): entry is [string, string] => entry[1] !== undefined)).toString()
    return text === '' ? '' : `?${text}`
  },
})

function textsOf(search: Readonly<Record<string, unknown>>): Search {
  return Object.fromEntries(Object.entries(search).map(([name, value]) => [name, String(value)]))
}

import type { Registry } from 'prom-client'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { decisionRoutes } from './decision-routes.ts'

export type DecisionKit = { readonly entitlements: Pick<Entitlements, 'cache' | 'balances'>; readonly registry: Registry }

export function openDecisions({ entitlements: { cache, balances }, registry }: DecisionKit): Stage {
  return { name: 'decisions', routes: decisionRoutes({ entitlements: cache, balances, registry }) }
}

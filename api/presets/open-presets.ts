import type { Stage } from '../../schemas/http/stage.ts'
import { type PresetRoutesDeps, presetRoutes } from './preset-routes.ts'

export function openPresets({ stores }: { readonly stores: PresetRoutesDeps }): Stage {
  return { name: 'presets', routes: presetRoutes(stores) }
}

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { consoleFiles } from './console-files.ts'
import { type SessionRoutesDeps, sessionRoutes } from './session-routes.ts'

/** The console: its files, and its sessions. What it reads and writes are the routes of the API, by the cookie in place of a key. */
export function consoleDoor(deps: SessionRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    await sessionRoutes(deps)(app)
    await consoleFiles(builtFolder(import.meta.dirname))(app)
  }
}

/** `console/dist` of the nearest folder above that has a console: this file may also be part of a bundle elsewhere below the root. */
function builtFolder(from: string): string {
  const parent = dirname(from)
  const isRoot = ['build.ts', 'dist'].some((name) => existsSync(join(from, 'console', name)))
  return isRoot || parent === from ? join(from, 'console', 'dist') : builtFolder(parent)
}

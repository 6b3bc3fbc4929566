import type { BookExportReader } from '../../adapters/database/book-exports/book-export-reader.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { exportRoutes } from './export-routes.ts'

/** The book as files for others' systems. */
export function openExports(reader: BookExportReader): Stage {
  return { name: 'exports', routes: exportRoutes(reader) }
}

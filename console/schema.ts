import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import openapiTS, { astToString } from 'openapi-typescript'

/** Writes `src/api/schema.d.ts`, the types of the HTTP contract, from the routes as they are now. Not kept: it follows from them. */
const ROOT = join(import.meta.dirname, '..')
const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const
const document = execFileSync(process.execPath, ['runtime/tollgate.ts', 'openapi'], options)
const types = astToString(await openapiTS(document, { defaultNonNullable: false }))
writeFileSync(join(import.meta.dirname, 'src/api/schema.d.ts'), types)

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { glob, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const BUNDLES = join(ROOT, 'node_modules/.cache/tollgate-bundles')
/** Older ones may still be loaded by a run under way. */
const BUNDLES_KEPT = 3
const SOURCES = ['*/**/*.ts', 'package-lock.json']
const NOT_SERVED = ['node_modules', 'test', 'bench', 'deploy', 'docs']
/** Libraries with binaries or data files of their own, and one of which inner modules are loaded beside the bundle. */
const LEFT_OUTSIDE = [/^chdb/, /^lmdb/, /^@electric-sql/, /^kafkajs/, /^pdfkit/, /^dejavu/, /^rolldown/, /^vite/]

/**
 * Run by vitest before projects whose tests start servers: they start one file instead of a thousand, which halves the processor
 * time of a start. The bundle is made again when a source has changed.
 */
export async function setup(): Promise<void> {
  const directory = join(BUNDLES, await stateOfSources())
  if (!existsSync(directory)) await bundle(directory)
  process.env.TOLLGATE_TEST_ENTRY = join(directory, 'tollgate.mjs')
}

/** Names, sizes and times of the sources, as one hash. */
async function stateOfSources(): Promise<string> {
  const hash = createHash('sha256')
  const files: string[] = []
  for await (const file of glob(SOURCES, { cwd: ROOT, exclude: (name) => NOT_SERVED.includes(name) })) files.push(file)
  for (const file of files.toSorted()) {
    const { size, mtimeMs } = await stat(join(ROOT, file))
    hash.update(`${file} ${size} ${mtimeMs}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

async function bundle(directory: string): Promise<void> {
  const made = `${directory}.${process.pid}`
  const build = await rolldown({
    input: { tollgate: join(ROOT, 'runtime/tollgate.ts') },
    platform: 'node',
    external: LEFT_OUTSIDE,
    plugins: [{ name: 'sources-stay-where-they-are', transform: { filter: { code: 'import.meta' }, handler: placed } }],
  })
  await build.write({ dir: made, format: 'esm', entryFileNames: '[name].mjs' })
  await build.close()
  await mkdir(BUNDLES, { recursive: true })
  // Another run may have made the same one meanwhile.
  await rename(made, directory).catch(() => rm(made, { recursive: true }))
  await removeOldBundles()
}

/** Modules find files beside them (SQL, Lua, Avro, worker threads) by where their source is. */
function placed(code: string, id: string): string {
  const url = JSON.stringify(pathToFileURL(id).href)
  return code.replaceAll('import.meta.url', url).replaceAll('import.meta.dirname', JSON.stringify(join(id, '..')))
}

async function removeOldBundles(): Promise<void> {
  const names = await readdir(BUNDLES)
  const made = await Promise.all(names.map(async (name) => ({ name, atMs: (await stat(join(BUNDLES, name))).mtimeMs })))
  const old = made.toSorted((a, b) => b.atMs - a.atMs).slice(BUNDLES_KEPT)
  await Promise.all(old.map(({ name }) => rm(join(BUNDLES, name), { recursive: true, force: true })))
}

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const FOLDER = import.meta.dirname
const ROOT = join(FOLDER, '..')
const BUILT = join(FOLDER, 'dist')
const STAMP = 'sources.sha256'
/** Files that decide what comes out, beside every file below `console/src` and `look`. */
const SETTINGS = ['console/index.html', 'console/vite.config.ts', 'console/build.ts', 'console/package.json', 'package-lock.json']

/**
 * Builds the console when its sources changed since it was built. Part of `npm start`, so it never ends with an error: the server
 * starts without a console too, and then says at `/console` what to run.
 */
async function buildConsole(): Promise<void> {
  const stamp = await stampOf(await sources())
  if ((await readFile(join(BUILT, STAMP), 'utf8').catch(() => '')) === stamp) return
  const startedMs = performance.now()
  // Beside the place of the last build, which is served until the new one is whole.
  const building = `${BUILT}.${process.pid}`
  // Whoever starts this, what is built is what ships.
  process.env.NODE_ENV = 'production'
  try {
    const { build } = await import('vite')
    await build({ configFile: join(FOLDER, 'vite.config.ts'), logLevel: 'warn', build: { outDir: building, emptyOutDir: true } })
    await compress(building)
    await writeFile(join(building, STAMP), stamp)
    await rm(BUILT, { recursive: true, force: true })
    await rename(building, BUILT)
    console.log(`The console was built in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s.`)
  } finally {
    await rm(building, { recursive: true, force: true })
  }
}

async function sources(): Promise<readonly string[]> {
  const below = await Promise.all(
    ['console/src', 'look'].map(async (folder) => {
      const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    }),
  )
  return [...SETTINGS, ...below.flat()].filter((path) => !path.endsWith('.d.ts') && !path.endsWith('.test.ts')).sort()
}

async function stampOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(`${path}\n`).update(await readFile(join(ROOT, path)))
  return hash.digest('hex')
}

const COMPRESSED = /\.(js|css|html|svg)$/
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }

/** `.br` and `.gz` beside each file, so that the server never compresses. */
async function compress(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  await Promise.all(
    entries
      .filter((entry) => entry.isFile() && COMPRESSED.test(entry.name))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        const bytes = await readFile(path)
        await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes, BROTLI))
        await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: 9 }))
      }),
  )
}

try {
  await buildConsole()
} catch (error) {
  const reason =
    (error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND'
      ? 'Vite is not installed; `npm ci` without --omit=dev has it'
      : String(error)
  console.error(
    `The console was not built: ${reason}.${existsSync(join(BUILT, STAMP)) ? ' An older build is served.' : ' The API works without it.'}`,
  )
}

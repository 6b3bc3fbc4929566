import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { reportImplementation } from '../implementations.ts'
import { onceInRun } from '../run-directory.ts'

const run = promisify(execFile)
const SDKS = join(import.meta.dirname, '../../compat/sdk')
const INSTALLED_WITHIN_MS = 300_000

/** Where the SDKs of one language are installed, or why they are not. */
export type SdksForTest = { readonly path: string; readonly missing: null } | { readonly path: null; readonly missing: string }

/** The vendors' npm packages as `test/compat/sdk/package-lock.json` pins them: a directory with their `node_modules`. */
export function vendorSdks(): Promise<SdksForTest> {
  return sdksForTest('node', ['package.json', 'package-lock.json'], async (dir) => {
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: dir, timeout: INSTALLED_WITHIN_MS })
  })
}

/** The vendors' PyPI packages as `test/compat/sdk/requirements.txt` pins them: a Python that has them. */
export function vendorPythonSdks(): Promise<SdksForTest> {
  return sdksForTest('python', ['requirements.txt'], async (dir) => {
    await run('python3', ['-m', 'venv', join(dir, 'venv')], { timeout: INSTALLED_WITHIN_MS })
    const python = join(dir, 'venv/bin/python')
    await run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', join(dir, 'requirements.txt')], { timeout: INSTALLED_WITHIN_MS })
  })
}

/** Where they cannot be installed, the tests are reported as not run by name; in CI that is a failure. */
async function sdksForTest(language: string, files: readonly string[], install: (dir: string) => Promise<void>): Promise<SdksForTest> {
  const name = `vendor SDKs (${language})`
  const sdks = await onceInRun(`vendor-sdks-${language}`, () => installOnce(language, files, install))
  reportImplementation(
    sdks.missing === null ? { name, version: 'as pinned', missing: null } : { name, version: null, missing: sdks.missing },
  )
  if (sdks.missing !== null && process.env.CI === 'true') throw new Error(`${name} must be there in CI, and are not: ${sdks.missing}`)
  return sdks
}

/** Kept beyond the run, under the hash of what pins them. A virtual environment cannot be moved, so a mark says that it is whole. */
async function installOnce(language: string, files: readonly string[], install: (dir: string) => Promise<void>): Promise<SdksForTest> {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(join(SDKS, file)))
  const dir = join(tmpdir(), `tollgate-vendor-sdks-${language}-${hash.digest('hex').slice(0, 16)}`)
  const mark = join(dir, 'whole')
  try {
    if (!existsSync(mark)) {
      await rm(dir, { recursive: true, force: true })
      await mkdir(dir, { recursive: true })
      for (const file of files) await copyFile(join(SDKS, file), join(dir, file))
      await install(dir)
      await rename(await mkdtemp(join(dir, 'new-')), mark)
    }
    return { path: language === 'python' ? join(dir, 'venv/bin/python') : dir, missing: null }
  } catch (error) {
    return { path: null, missing: `not installed: ${error instanceof Error ? error.message.slice(0, 300) : String(error)}` }
  }
}

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const PACK_MS_MAX = 120_000

/**
 * Builds `tollgate-sdk` with `tsc` and packs it into `directory`; answers the path of the package file. It is staged in a
 * directory of its own, so that the working tree stays as it is.
 */
export async function packSdk(directory: string, version?: string): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), 'tollgate-sdk-'))
  try {
    await mkdir(directory, { recursive: true })
    const manifest = JSON.parse(await readFile(join(root, 'sdk/package.json'), 'utf8')) as { version: string }
    await writeFile(join(stage, 'package.json'), `${JSON.stringify({ ...manifest, version: version ?? manifest.version }, null, 2)}\n`)
    await copyFile(join(root, 'sdk/README.md'), join(stage, 'README.md'))
    await copyFile(join(root, 'LICENSE'), join(stage, 'LICENSE'))
    const within = { cwd: root, timeout: PACK_MS_MAX }
    await run(join(root, 'node_modules/.bin/tsc'), ['-p', 'sdk', '--outDir', join(stage, 'dist')], within)
    const packed = await run('npm', ['pack', stage, '--pack-destination', directory, '--json', '--ignore-scripts'], within)
    const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }]
    return join(directory, filename)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

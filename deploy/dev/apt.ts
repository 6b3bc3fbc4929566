import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { findCommand } from './server-process.ts'

const run = promisify(execFile)
const INSTALL_LIMIT_MS = 300_000

/** The path of the first of these commands that is there, if need be from the Debian package. */
export async function findOrInstall(commands: readonly string[], packageName: string): Promise<string> {
  const found = await findCommand(...commands)
  if (found !== undefined) return found
  await installPackage(packageName)
  const installed = await findCommand(...commands)
  if (installed === undefined) throw new Error(`not available: the package \`${packageName}\` has no \`${commands[0]}\``)
  return installed
}

/** Installs a Debian package when we are root. Otherwise it says what a person should install. */
export async function installPackage(name: string): Promise<void> {
  const aptGet = await findCommand('apt-get')
  if (aptGet === undefined || process.getuid?.() !== 0) throw new Error(`not available: install the package \`${name}\` (needs root)`)
  const options = { timeout: INSTALL_LIMIT_MS, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } }
  await run(aptGet, ['update', '-q'], options).catch(() => undefined)
  await run(aptGet, ['install', '-y', '-q', '--no-install-recommends', name], options).catch((cause: unknown) => {
    const output = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).slice(-1_000) : ''
    throw new Error(`not available: apt-get could not install \`${name}\`\n${output}`, { cause })
  })
}

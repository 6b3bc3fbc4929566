import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type LockedPackage = {
  readonly version?: string
  readonly dev?: boolean
  readonly license?: string
  readonly integrity?: string
  readonly engines?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
export type Lockfile = { readonly packages: Readonly<Record<string, LockedPackage & Readonly<Record<string, unknown>>>> }

/**
 * Packages hold their binaries in optional packages, one per platform. A registry that mirrors only some platforms makes `npm
 * install` leave the others out of the lock file, which `npm ci` then refuses everywhere. Run after adding a package: `node
 * deploy/dev/complete-lockfile.ts`.
 */
export function completeLockfile(lockfile: Lockfile): Lockfile {
  const entries = missingPlatforms(lockfile).map(
    ({ name, version, parent }) => [`node_modules/${name}`, platformEntry(name, version, parent)] as const,
  )
  const packages = [...Object.entries(lockfile.packages), ...entries].sort(([a], [b]) => a.localeCompare(b, 'en'))
  return { ...lockfile, packages: Object.fromEntries(packages) }
}

export function missingPlatforms({ packages }: Lockfile): { name: string; version: string; parent: LockedPackage }[] {
  const missing = []
  for (const [path, parent] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      if (packages[`${path}/node_modules/${name}`] === undefined && packages[`node_modules/${name}`] === undefined)
        missing.push({ name, version, parent })
    }
  }
  return missing
}

/** Without a hash `npm ci` would install any content that the registry serves for the package. */
export function entriesWithoutHash({ packages }: Lockfile): { readonly path: string; readonly name: string; readonly version: string }[] {
  return Object.entries(packages).flatMap(([path, { version, integrity }]) => {
    const name = path.split('node_modules/').at(-1) ?? ''
    // A path outside node_modules is the project itself or a workspace of it.
    if (!path.includes('node_modules/') || version === undefined || integrity !== undefined) return []
    return [{ path, name, version }]
  })
}

/** `hashOf` answers null for a package that the registry does not have. */
export function withHashes(lockfile: Lockfile, hashOf: (name: string, version: string) => string | null): Lockfile {
  const packages = { ...lockfile.packages }
  for (const { path, name, version } of entriesWithoutHash(lockfile)) {
    const integrity = hashOf(name, version)
    if (integrity !== null) packages[path] = { ...packages[path], integrity }
  }
  return { ...lockfile, packages }
}

const PLATFORM =
  /(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x)(?:-(gnu|musl|eabi|gnueabihf|musleabihf|msvc))?$/

function platformEntry(name: string, version: string, parent: LockedPackage): LockedPackage & Record<string, unknown> {
  const [, os, cpu, abi] = PLATFORM.exec(name) ?? []
  if (os === undefined || cpu === undefined) throw new Error(`${name} is not in the lock file, and its name says no platform`)
  return {
    version,
    cpu: [cpu],
    ...(parent.dev === true ? { dev: true } : {}),
    ...(os === 'linux' && abi !== undefined ? { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] } : {}),
    ...(parent.license === undefined ? {} : { license: parent.license }),
    optional: true,
    os: [os],
    ...(parent.engines === undefined ? {} : { engines: parent.engines }),
  }
}

function hashInRegistry(name: string, version: string): string | null {
  try {
    const answer = execFileSync('npm', ['view', '--json', `${name}@${version}`, 'dist.integrity'], { stdio: ['ignore', 'pipe', 'ignore'] })
    return JSON.parse(answer.toString()) as string
  } catch {
    return null
  }
}

if (import.meta.main) {
  const path = fileURLToPath(new URL('../../package-lock.json', import.meta.url))
  const lockfile = JSON.parse(readFileSync(path, 'utf8')) as Lockfile
  console.log(`${missingPlatforms(lockfile).length} packages of other platforms added`)
  const complete = withHashes(completeLockfile(lockfile), hashInRegistry)
  for (const { name, version } of entriesWithoutHash(complete)) console.log(`no hash to be had of ${name} ${version}`)
  writeFileSync(path, `${JSON.stringify(complete, null, 2)}\n`)
}

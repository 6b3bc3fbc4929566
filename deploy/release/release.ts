import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { packSdk } from './pack-sdk.ts'
import { isInImage, releasedChangelog, versionAfter, withVersion } from './released-texts.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const OUTPUT_BYTES_MAX = 64_000_000

/**
 * A release: the version in every manifest, the changelog's heading, and the artifacts with their checksums in `release/`. What
 * leaves the machine (tag, publishing, pushing the image) is printed and left to whoever releases. A dry run makes the same
 * artifacts in a directory that is removed, and changes nothing.
 */
export async function release(wanted: string, isDryRun: boolean, now: Date, print: (line: string) => void): Promise<void> {
  const read = (path: string) => readFile(join(root, path), 'utf8')
  const manifest = await read('package.json')
  const { version: current } = JSON.parse(manifest) as { version: string }
  const version = versionAfter(current, wanted)
  if (version === null) throw new Error(`the version is major, minor, patch or x.y.z, was '${wanted}'`)
  const changelog = releasedChangelog(await read('CHANGELOG.md'), version, now.toISOString().slice(0, 10))
  if (changelog === null) throw new Error('CHANGELOG.md has nothing under "## Unreleased": write what changed first')
  if (!isDryRun && (await git('status', '--porcelain')) !== '') throw new Error('the working tree has changes: commit them first')

  const changed = new Map([['CHANGELOG.md', changelog]])
  for (const path of MANIFESTS) changed.set(path, withVersion(await read(path), current, version))
  if (!isDryRun) for (const [path, text] of changed) await writeFile(join(root, path), text)

  const directory = isDryRun ? await mkdtemp(join(tmpdir(), 'tollgate-release-')) : join(root, 'release')
  try {
    await mkdir(directory, { recursive: true })
    await packSdk(directory, version)
    await packImageContext(join(directory, `tollgate-image-${version}.tar.gz`))
    await writeFile(join(directory, `tollgate-${version}.cdx.json`), await npm('run', '--silent', 'sbom'))
    const sums = await checksums(directory)
    await writeFile(join(directory, 'SHA256SUMS'), sums)
    print(`${current} -> ${version}${isDryRun ? ' (dry run: nothing was changed)' : ''}`)
    print(`changed: ${[...changed.keys()].join(', ')}`)
    print(sums.trimEnd())
    for (const next of nextSteps(version)) print(next)
  } finally {
    if (isDryRun) await rm(directory, { recursive: true, force: true })
  }
}

const MANIFESTS = ['package.json', 'package-lock.json', 'sdk/package.json'] as const

function nextSteps(version: string): readonly string[] {
  return [
    'next:',
    `  git commit -am "Release ${version}" && git tag v${version}`,
    `  npm publish release/tollgate-sdk-${version}.tgz`,
    `  docker build -f deploy/Dockerfile -t tollgate:${version} - < release/tollgate-image-${version}.tar.gz`,
  ]
}

/** The files that the image is built from, the same bytes for the same files. */
async function packImageContext(file: string): Promise<void> {
  const dockerignore = await readFile(join(root, '.dockerignore'), 'utf8')
  const tracked = (await git('ls-files')).split('\n')
  const paths = tracked.filter((path) => path === 'deploy/Dockerfile' || isInImage(path, dockerignore))
  const sameEachTime = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--use-compress-program=gzip -n']
  await run('tar', [...sameEachTime, '-cf', file, ...paths], { cwd: root })
}

async function checksums(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name !== 'SHA256SUMS').sort()
  const lines = names.map(async (name) => {
    const hash = createHash('sha256').update(await readFile(join(directory, name)))
    return `${hash.digest('hex')}  ${name}\n`
  })
  return (await Promise.all(lines)).join('')
}

const git = (...args: string[]) => outputOf('git', args)
const npm = (...args: string[]) => outputOf('npm', args)

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  return (await run(command, args, { cwd: root, maxBuffer: OUTPUT_BYTES_MAX })).stdout.trim()
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { 'dry-run': { type: 'boolean', default: false } } })
  await release(positionals[0] ?? 'minor', values['dry-run'], new Date(), (line) => console.log(line)).catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}

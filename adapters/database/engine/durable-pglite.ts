import { closeSync, fsyncSync, openSync } from 'node:fs'
import { mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { PGlite } from '@electric-sql/pglite'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { invariant } from '../../../base/invariant.ts'
import { createPanicGuard, type PanicGuard } from './engine-panic.ts'

/** PostgreSQL's default is 128 MB; a catalog fits into far less, and this process needs memory for other things. */
const SETTINGS = {
  shared_buffers: '16MB',
  fsync: 'on',
  // fdatasync does nothing in the WebAssembly build; fsync reaches the file system, which is made honest below.
  wal_sync_method: 'fsync',
}

/**
 * Without these flags every start optimizes, among others, PostgreSQL's expression interpreter: 600 MB of memory and most of a
 * second of processor time for that one function. A catalog's statements are short and take about a tenth longer without; nothing
 * else in this process is WebAssembly. Set before, as the flags are read when a module is compiled.
 */
setFlagsFromString('--no-wasm-tier-up --no-wasm-dynamic-tiering')

/**
 * PGlite as durable as a PostgreSQL server. By default it runs with fsync off (`-F`), and its file system ignores fsync anyway:
 * its writes survive the end of the process, but not of the machine. Here a commit resolves after its WAL is fsynced, and
 * checkpoints fsync the data files before they report success.
 */
export async function openDurablePGlite(path: string): Promise<PGlite> {
  const dataDir = join(path, 'pgdata')
  const readyMark = join(path, 'ready')
  const isNew = !(await exists(readyMark))
  // A directory without the mark was never given to anybody: a first start that was killed left it behind.
  if (isNew) await rm(dataDir, { recursive: true, force: true })
  await mkdir(dataDir, { recursive: true })
  const pglite = await PGlite.create({ fs: new FsyncingNodeFS(dataDir), startParams: startParams() })
  if (isNew) {
    // The database is set up by an engine that PGlite starts and does not let us configure, so its files are fsynced afterwards.
    await fsyncTree(path)
    await writeFile(readyMark, 'The database beside this file was set up to the end.\n', { flush: true })
    fsyncPath(path)
  }
  return pglite
}

class FsyncingNodeFS extends NodeFS {
  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const initialised = await super.init(...args)
    const { emscriptenOpts } = initialised
    const guard = createPanicGuard()
    const preRun = [...[emscriptenOpts.preRun ?? []].flat(), (module: object) => makeFsyncHonest(module, guard)]
    const postRun = [...[emscriptenOpts.postRun ?? []].flat(), guard.watch]
    return { ...initialised, emscriptenOpts: { ...emscriptenOpts, preRun, postRun } }
  }
}

type OpenFile = { readonly nfd?: number; readonly node: object }
type WriteFile = (file: OpenFile, ...given: readonly unknown[]) => number
type Attributes = { mode?: number }
type NodeFileSystem = {
  readonly stream_ops: { fsync?: (file: OpenFile) => number; write: WriteFile }
  readonly node_ops: { setattr: (node: object, attributes: Attributes) => void }
  realPath(node: object): string
}

/** Emscripten calls a file system's `fsync`, and its file system over Node's has none. Directories have no descriptor there. */
function makeFsyncHonest(module: object, { orPanic }: PanicGuard): void {
  const fileSystem = (module as { NODEFS?: NodeFileSystem }).NODEFS
  invariant(fileSystem !== undefined, 'PGlite hands out its file system over Node as NODEFS')
  const { stream_ops: operations, node_ops: nodes } = fileSystem
  const { write } = operations
  const { setattr } = nodes
  operations.fsync = (file) => {
    const path = fileSystem.realPath(file.node)
    orPanic(`fsync ${path}`, () => (file.nfd === undefined ? fsyncPath(path) : fsyncSync(file.nfd)))
    return 0
  }
  // The engine would open its files to everybody, regardless of the process's umask.
  nodes.setattr = (node, attributes) => {
    setattr(node, attributes.mode === undefined ? attributes : { ...attributes, mode: attributes.mode & ~OTHERS })
  }
  operations.write = (file, ...given) => {
    const path = fileSystem.realPath(file.node)
    return path.includes(WRITE_AHEAD_LOG) ? orPanic(`write ${path}`, () => write(file, ...given)) : write(file, ...given)
  }
}

const WRITE_AHEAD_LOG = '/pg_wal/'
const OTHERS = 0o077

function fsyncPath(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function startParams(): string[] {
  const defaults = PGlite.defaultStartParams.filter((param) => param !== '-F')
  return [...defaults, ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

async function fsyncTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isDirectory()) continue
    const handle = await open(join(entry.parentPath, entry.name))
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

import { execFile } from 'node:child_process'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A file system of its own, small enough to fill up. */
export type SmallDisk = {
  readonly path: string
  /** Takes all the room that is left; again, for room freed since. */
  fill(): void
  /** Gives back what `fill` took. */
  makeRoom(): void
  /** Removes all files on it. */
  clear(): Promise<void>
  unmount(): Promise<void>
}

/** The disk, or the reason why there is none: mounting takes root. With CI=true that is a failure. */
export async function smallDiskForTest(megabytes: number): Promise<{ readonly disk: SmallDisk | null; readonly missing: string }> {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-small-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tollgate-test', path])
  } catch (error) {
    await rmdir(path)
    const missing = `a file system of ${megabytes} MB cannot be mounted here: ${error instanceof Error ? error.message : String(error)}`
    if (process.env.CI === 'true') throw new Error(missing)
    return { disk: null, missing }
  }
  const ballast = join(path, 'ballast')
  return {
    missing: '',
    disk: {
      path,
      fill: () => fillUp(ballast),
      makeRoom: () => rmSync(ballast, { force: true }),
      async clear() {
        for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true })
      },
      async unmount() {
        await run('umount', [path])
        await rmdir(path)
      },
    },
  }
}

const run = promisify(execFile)
const PIECE_BYTES = 1024 * 1024

function fillUp(ballast: string): void {
  const file = openSync(ballast, 'a')
  const zeros = Buffer.alloc(PIECE_BYTES)
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(ballast)
      if (bavail === 0) return
      writeSync(file, zeros, 0, Math.min(PIECE_BYTES, bavail * bsize))
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}

import { existsSync, rmSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The process that a run of tests ends with: vitest's own (its configuration passes it to the test files), otherwise this one. */
export const RUN_PID = Number(process.env.TOLLGATE_TEST_RUN ?? process.pid)
/** Files that the test files of a run share. Removed with the run. */
export const RUN_DIRECTORY = join(tmpdir(), `tollgate-test-${RUN_PID}`)

if (process.pid === RUN_PID) process.once('exit', () => rmSync(RUN_DIRECTORY, { recursive: true, force: true }))

const MADE_WITHIN_MS = 600_000
const LOOK_EVERY_MS = 50

type Made<Value> = { readonly value: Value; readonly failed?: never } | { readonly failed: string; readonly value?: never }

/**
 * The result of `make`, made once in a run by the first process that asks; the others wait for it. Must survive JSON. Throws in
 * all of them when it cannot be made.
 */
export async function onceInRun<Value>(name: string, make: () => Promise<Value>): Promise<Value> {
  await mkdir(RUN_DIRECTORY, { recursive: true })
  const file = join(RUN_DIRECTORY, `${name}.json`)
  const maker = await claim(join(RUN_DIRECTORY, `${name}.maker`))
  if (maker === process.pid && !existsSync(file)) {
    const made: Made<Value> = await make().then(
      (value) => ({ value }),
      (error: unknown) => ({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
    await writeFile(`${file}.new`, JSON.stringify(made))
    await rename(`${file}.new`, file)
  }
  for (const untilMs = performance.now() + MADE_WITHIN_MS; !existsSync(file); ) {
    if (!isAlive(maker) && !existsSync(file)) throw new Error(`process ${maker} ended while it made ${name} for this run`)
    if (performance.now() > untilMs) throw new Error(`process ${maker} has not made ${name} within ${MADE_WITHIN_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  const { value, failed } = JSON.parse(await readFile(file, 'utf8')) as Made<Value>
  if (failed !== undefined) throw new Error(`${name} could not be made for this run: ${failed}`)
  return value as Value
}

/** The process that makes it: this one when no other came first. */
async function claim(file: string): Promise<number> {
  try {
    await writeFile(file, `${process.pid}\n`, { flag: 'wx' })
    return process.pid
  } catch {
    for (;;) {
      const text = await readFile(file, 'utf8')
      // The file was created and not written yet.
      if (text.endsWith('\n')) return Number(text)
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

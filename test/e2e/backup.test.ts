import { appendFile, readdir, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesBelow, MANIFEST } from '../../custody/backup/backup-manifest.ts'
import { inLongRun } from '../support/long-run.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
} from '../support/servers/tollgate-process.ts'

const BATCH = 500

let tollgate: TollgateProcess
let target: string
const directories: string[] = []

const newDirectory = async () => {
  const directory = await temporaryDirectory()
  directories.push(directory)
  return directory
}

beforeAll(async () => {
  target = await newDirectory()
  tollgate = await startTollgate()
  await tollgate.ok('PUT', '/v1/meters/tokens', { eventType: 'call', aggregation: 'sum', value: 'tokens', dimensions: { model: 'model' } })
  await tollgate.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens' })
})
afterAll(async () => {
  await tollgate.kill()
  await Promise.all([...directories, tollgate.dataDir].map(removeDirectory))
})

let sent = 0
let accepted = 0
async function sendBatch(): Promise<void> {
  const events = Array.from({ length: BATCH }, () => {
    const id = sent++
    return { id: `event-${id}`, type: 'call', customer: `customer-${id % 40}`, data: { tokens: 1, model: `model-${id % 3}` } }
  })
  const answer = await tollgate.ok<{ accepted: number }>('POST', '/v1/events', events)
  accepted += answer.accepted
}

/** Sends up to 5,000 events a second while the work goes on. */
async function underLoad<Value>(work: Promise<Value>): Promise<Value> {
  let isDone = false
  const sending = [
    (async () => {
      while (!isDone) await Promise.all([sendBatch(), new Promise((resolve) => setTimeout(resolve, BATCH / 5))])
    })(),
  ]
  const value = await work.finally(() => {
    isDone = true
  })
  await Promise.allSettled(sending)
  return value
}

const backUp = async (dataDir = tollgate.dataDir) => {
  const { code, output } = await runTollgate(['backup', target], { TOLLGATE_DATA_DIR: dataDir })
  const [, directory = '', bytes = '', newBytes = ''] = /^(.*): \d+ files, (\d+) bytes, (\d+) of them/m.exec(output) ?? []
  return { code, output, directory, bytes: Number(bytes), newBytes: Number(newBytes) }
}
const restore = async (backup: string, dataDir?: string) => {
  const into = dataDir ?? (await newDirectory())
  return { into, ...(await runTollgate(['restore', backup], { TOLLGATE_DATA_DIR: into })) }
}

test('a backup under load is restored: it has what was accepted before it began, and is the same to verify', async () => {
  await sendBatch()
  const before = accepted
  const startedAtMs = performance.now()
  const backup = await underLoad(backUp())
  expect(backup.output).toMatch(/copying event-log/)
  expect(backup.code).toBe(0)
  console.log(
    JSON.stringify({ eventsPerSecond: Math.round(((accepted - before) / (performance.now() - startedAtMs)) * 1_000), bytes: backup.bytes }),
  )
  const { into, code, output } = await restore(backup.directory)
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('Restored') })
  const restored = await startTollgate({ dataDir: into })
  try {
    const usage = '/v1/meters/tokens/usage?waitMs=10000'
    const { data } = await restored.ok<{ data: { value: string }[] }>('GET', usage)
    expect(Number(data[0]?.value)).toBeGreaterThanOrEqual(before)
    expect(Number(data[0]?.value)).toBeLessThanOrEqual(accepted)
    await restored.ok('POST', '/v1/events?waitMs=10000', { id: 'later', type: 'call', customer: 'customer-1', data: { tokens: 7 } })
  } finally {
    await restored.stop()
  }
  const verified = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: into })
  expect({ code: verified.code, output: verified.output }).toMatchObject({ code: 0 })

  // The next one has the same parts, which take no room again.
  const next = await backUp()
  expect(next.newBytes).toBeLessThan(next.bytes / 2)
  expect(await filesBelow(next.directory)).toEqual(JSON.parse(await readFile(join(next.directory, MANIFEST), 'utf8')).files)
})

test('killed at any point, a backup is none, and the one before it is whole', async () => {
  const random = createSeededRandom(7)
  const whole = (await backUp()).directory
  for (let round = 0; round < inLongRun(8, 1); round++) {
    const command = runTollgate(['backup', target], { TOLLGATE_DATA_DIR: tollgate.dataDir })
    await underLoad(new Promise((resolve) => setTimeout(resolve, random.between(150, 900))))
    await tollgate.kill()
    await command
    tollgate = await startTollgate({ dataDir: tollgate.dataDir })
  }
  const names = (await readdir(target)).filter((name) => name.endsWith('.partial'))
  for (const name of names) expect((await restore(join(target, name))).output).toMatch(/is no backup, or one that did not end/)
  const { into, code } = await restore(whole)
  expect(code).toBe(0)
  expect((await runTollgate(['verify'], { TOLLGATE_DATA_DIR: into })).code).toBe(0)
})

test('bad input restores nothing, and says what is wrong', async () => {
  await tollgate.stop()
  const { directory } = await backUp()
  expect((await restore(tollgate.dataDir)).output).toMatch(/is no backup/)
  expect((await restore(directory, tollgate.dataDir)).output).toMatch(/already holds/)
  tollgate = await startTollgate({ dataDir: tollgate.dataDir })
  expect((await restore(directory, tollgate.dataDir)).output).toMatch(/is in use by process/)
  const inside = await runTollgate(['backup', join(tollgate.dataDir, 'backups')], { TOLLGATE_DATA_DIR: tollgate.dataDir })
  expect(inside).toMatchObject({ code: 1, output: expect.stringContaining('lies in the data directory') })
  const log = join(directory, 'event-log', 'data.mdb')
  await appendFile(log, 'x')
  const changed = await restore(directory)
  expect(changed.output).toMatch(/event-log\/data.mdb of the backup is missing, cut off or changed/)
  expect((await readdir(changed.into)).filter((name) => name === 'catalog' || name === 'event-log')).toEqual([])
  await truncate(log, 4_096)
  expect((await restore(directory)).output).toMatch(/event-log\/data.mdb/)
})

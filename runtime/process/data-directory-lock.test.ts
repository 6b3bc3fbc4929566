import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DataDirectoryInUse, lockDataDirectory } from './data-directory-lock.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tollgate-lock-'))
})
afterEach(() => rmSync(dataDir, { recursive: true }))

const HOLD = `
  import { lockDataDirectory } from ${JSON.stringify(new URL('./data-directory-lock.ts', import.meta.url).href)}
  lockDataDirectory(process.argv[1], { pid: process.pid, doing: 'serve' })
  console.log('held')
  setInterval(() => {}, 1000)`

test('a second holder learns who has it; kill -9 of the first leaves nothing behind', async () => {
  const first = spawn(process.execPath, ['--input-type=module', '-e', HOLD, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(first.stdout, 'data')
  expect(() => lockDataDirectory(dataDir, { pid: 1, doing: 'verify' })).toThrow(DataDirectoryInUse)
  expect(() => lockDataDirectory(dataDir, { pid: 1, doing: 'verify' })).toThrow(`process ${first.pid} (serve)`)

  first.kill('SIGKILL')
  await once(first, 'exit')
  const second = lockDataDirectory(dataDir, { pid: 1, doing: 'verify' })
  second.release()
  lockDataDirectory(dataDir, { pid: 1, doing: 'verify' }).release()
})

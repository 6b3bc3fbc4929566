import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

const WATCHDOG = new URL('./watchdog.ts', import.meta.url).href

function ending(script: string): Promise<{ signal: NodeJS.Signals | null; code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stderr })))
}

test('a process whose event loop is stuck is ended from outside of it, and says so', async () => {
  const ended = await ending(`import { startWatchdog } from '${WATCHDOG}'; startWatchdog(2_000); setTimeout(() => { for (;;); }, 1_500)`)
  expect(ended.signal).toBe('SIGKILL')
  expect(ended.stderr).toContain('process stuck and ended')
})

test('a process that turns is left alone, and can end by itself', async () => {
  const busy =
    'for (let i = 0; i < 6; i++) { await new Promise((r) => setTimeout(r, 1)); const t = Date.now(); while (Date.now() - t < 800); }'
  expect(await ending(`import { startWatchdog } from '${WATCHDOG}'; startWatchdog(2_000); ${busy}`)).toEqual({
    code: 0,
    signal: null,
    stderr: '',
  })
})

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Behaviour, type FaultyServer, startFaultyServer } from '../../test/support/servers/faulty-server.ts'
import { createEventQueue, type TrackedEvent } from './event-queue.ts'
import type { CallOptions } from './http-caller.ts'
import { createTollgateClient } from './tollgate-client.ts'

let server: FaultyServer

beforeEach(async () => {
  server = await startFaultyServer()
})
afterEach(async () => {
  await server.stop()
})

/** An app of a few lines in its own process; its flush interval is an hour, which it must not wait for. */
async function runApp(mode: string): Promise<{ code: number | null; output: string }> {
  const path = fileURLToPath(new URL('../../test/support/sdk-child.ts', import.meta.url))
  const child = spawn(process.execPath, [path, server.url, mode], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  return await new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

describe('a process that ends', () => {
  test.each([{ mode: 'silent' }, { mode: 'batch' }, { mode: 'flush' }, { mode: 'close' }, { mode: 'check' }])(
    'without being held by a timer, all events sent: $mode',
    async ({ mode }) => {
      expect(await runApp(mode)).toEqual({ code: 0, output: '' })
      expect([...new Set(server.kept.map(({ id }) => id))]).toEqual(['e-0', 'e-1', 'e-2'])
    },
  )

  test.each<{ fault: Behaviour }>([{ fault: { status: 503 } }, { fault: 'reset' }, { fault: 'stall' }])(
    'in bounded time while the server is away ($fault), and says what it could not send',
    async ({ fault }) => {
      server.behaveAlways(fault)
      expect(await runApp('silent')).toEqual({ code: 0, output: 'dropped 3 unsent\n' })
      expect(server.received.length).toBeLessThanOrEqual(2)
    },
  )

  test('while the background waits for its next try: it is tried at once, not left behind', async () => {
    server.behave({ status: 503, headers: { 'retry-after': '9' } })
    expect(await runApp('batch')).toEqual({ code: 0, output: '' })
    expect(server.kept.map(({ id }) => id)).toEqual(['e-0', 'e-1', 'e-2'])
  })
})

describe('a page that is left', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  test.each([
    { notice: 'visibilitychange', state: 'hidden', isSent: true },
    { notice: 'pagehide', state: 'visible', isSent: true },
    { notice: 'visibilitychange', state: 'visible', isSent: false },
  ])('sends on $notice when $state: $isSent', async ({ notice, state, isSent }) => {
    const page = Object.assign(new EventTarget(), { visibilityState: state })
    vi.stubGlobal('document', page)
    vi.stubGlobal('window', page)
    const client = createTollgateClient({ url: server.url, key: 'tg_key', flushIntervalMs: 3_600_000 })
    client.track({ id: 'e-0', type: 't', customer: 'acme' })
    page.dispatchEvent(new Event(notice))
    if (isSent) await server.request(1)
    expect(server.received.length).toBe(isSent ? 1 : 0)
    client.track({ id: 'e-1', type: 't', customer: 'acme' })
    await client.close()
    expect(server.kept.map(({ id }) => id)).toEqual(['e-0', 'e-1'])
    page.dispatchEvent(new Event('pagehide'))
  })

  test('sends once, in bodies that the browser lets outlive the page, and keeps what did not get through', async () => {
    const sent: { json: string; options: CallOptions }[] = []
    let isAway = false
    const queue = createEventQueue({
      send: async (json, options) => {
        sent.push({ json, options })
        if (isAway) throw new TypeError('keepalive quota exceeded')
        return {}
      },
      batchEventsMax: 500,
      batchBytesMax: 1_000_000,
      queuedEventsMax: 1_000,
      flushIntervalMs: 3_600_000,
      onDrop: () => expect.unreachable(),
      onWarning: () => expect.unreachable(),
      onError: () => undefined,
    })
    const event = (id: string): TrackedEvent => ({
      id,
      type: 't',
      customer: 'acme',
      time: '2024-01-01T00:00:00Z',
      data: { text: 'é'.repeat(10_000) },
    })
    for (let index = 0; index < 5; index++) queue.add(event(`e-${index}`))
    await queue.leave()
    expect(sent.map(({ json }) => (JSON.parse(json) as unknown[]).length)).toEqual([2, 2, 1])
    for (const { json, options } of sent) {
      expect(new TextEncoder().encode(json).length).toBeLessThan(65_536)
      expect(options).toEqual({ keepalive: true, triesMax: 1 })
    }
    isAway = true
    queue.add(event('e-5'))
    await queue.leave()
    expect(queue.queuedEvents()).toBe(1)
    isAway = false
    await queue.close()
    expect(queue.queuedEvents()).toBe(0)
  })
})

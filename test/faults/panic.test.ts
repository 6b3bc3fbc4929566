import { expect, test } from 'vitest'
import { diskFaultsMissing, injectDiskFault } from '../support/disk-fault.ts'
import { removeDirectory, startTollgate, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'

const missing = await diskFaultsMissing()

const event = (id: string) => ({ id, type: 'api.call', customer: 'acme', data: {} })

test('an event log whose writes failed ends the process, and the next one has what was acknowledged', async ({ skip }) => {
  if (missing !== null) return skip(missing)
  const dataDir = await temporaryDirectory()
  try {
    const first = await startTollgate({ dataDir })
    await first.ok('POST', '/v1/events', event('kept'))
    const path = `${dataDir}/event-log/data.mdb`
    const fault = await injectDiskFault({ pid: first.pid, path, calls: ['pwrite64'], what: { error: 'EIO' } })
    // The write that ends a commit leaves LMDB's memory in disorder when it fails: the next writes are refused too, or one ends the
    // process, by our hand (after 20 s of failed commits at the latest) or by an abort of the allocator. Nothing is acknowledged
    // until then.
    await waitFor(async () => {
      const answer = await first.call('POST', '/v1/events', event('refused')).catch(() => null)
      if (answer !== null) expect(answer).toMatchObject({ status: 503, body: { code: 'log_unavailable' } })
      return answer === null
    })
    const exitCode = await first.stop()
    expect(exitCode === null || exitCode === 74).toBe(true)
    if (exitCode === 74) expect(first.output()).toContain('process ended, to be started again')
    await fault.end()

    const next = await startTollgate({ dataDir })
    await next.ok('POST', '/v1/events', event('refused'))
    await waitFor(async () => (await next.ok<{ data: unknown[] }>('GET', '/v1/events')).data.length >= 2)
    const { data } = await next.ok<{ data: { id: string }[] }>('GET', '/v1/events')
    expect(data.map(({ id }) => id).sort()).toEqual(['kept', 'refused'])
    expect(await next.stop()).toBe(0)
  } finally {
    await removeDirectory(dataDir)
  }
})

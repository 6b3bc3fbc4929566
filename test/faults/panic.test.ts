import { expect, test } from 'vitest'
import { diskFaultsMissing, injectDiskFault } from '../support/disk-fault.ts'
import { removeDirectory, startTollgate, temporaryDirectory, waitFor } from '../support/tollgate-process.ts'

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
    expect(await first.call('POST', '/v1/events', event('refused'))).toMatchObject({ status: 503, body: { code: 'log_unavailable' } })
    const over = await first.call('POST', '/v1/events', event('unanswered')).catch(() => null)
    expect(over).toBeNull()
    expect(await first.stop()).toBe(74)
    expect(first.output()).toContain('process ended, to be started again')
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

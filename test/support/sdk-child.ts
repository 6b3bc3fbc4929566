import { createTollgateClient } from '../../sdk/client/tollgate-client.ts'

/** An app of a few lines that just ends: `sdk-child.ts <url> <mode>`. Its standard output lists the dropped events. */
const [, , url = '', mode = ''] = process.argv
const client = createTollgateClient({
  url,
  key: 'tg_key',
  flushIntervalMs: 3_600_000,
  triesMax: 2,
  tryTimeoutMs: 1_000,
  ...(mode === 'batch' ? { batchEventsMax: 3 } : {}),
  onDrop: ({ reason, events }) => console.log(`dropped ${events.length} ${reason}`),
  onError: () => undefined,
})
for (let index = 0; index < 3; index++) client.track({ id: `e-${index}`, type: 't', customer: 'acme' })
if (mode === 'flush') await client.flush().catch((error: Error) => console.log(`flush failed: ${error.message}`))
if (mode === 'close') await client.close()
if (mode === 'check') await client.check('acme', 'tokens')

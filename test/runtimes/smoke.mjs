import { createTollgateClient, isTollgateFailure } from 'tollgate-sdk'

/** What an app does with the packed client, on any runtime; answers what went wrong, empty when nothing did. */
export async function smoke(url) {
  const wrong = []
  const expect = (what, is) => is || wrong.push(what)
  const client = createTollgateClient({ url, key: 'tg_key', onDrop: (drop) => wrong.push(`dropped: ${drop.code}`) })
  expect('track answers an id', typeof client.track({ type: 't', customer: 'acme', data: { tokens: 1 } }) === 'string')
  await client.flush()
  expect('check', (await client.check('acme', 'tokens')).allowed)
  const done = await client.withReservation('acme', 'tokens', 5n, async (hold) => {
    hold.use(3)
    return 'done'
  })
  expect('the work of a reservation', done === 'done')
  expect('a read', typeof (await client.usage('tokens', { window: 'day' })) === 'object')
  const nowhere = createTollgateClient({ url: 'http://127.0.0.1:9', key: 'tg_key', triesMax: 1 })
  const failure = await nowhere.balances('acme').catch((error) => error)
  expect('a failure is one of the union', isTollgateFailure(failure) && failure.name === 'UnavailableError')
  await client.close()
  return wrong
}

import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { webhookHeaders, webhookSecret } from '../../../alerts/webhooks/signature.ts'
import { createBillClient, type ServerFlags } from '../bill/bill-client.ts'
import { withServer } from '../bill/server-options.ts'

/** Webhooks for developers on a machine that cannot be called from outside. */
export function webhooksCommand(): Command {
  const webhooks = new Command('webhooks').description('events as they happen')
  withServer(webhooks.command('listen').description('print events as they happen, and send each to a local server as a webhook'), 'read')
    .option('--forward-to <url>', 'where to send them; printed alone when absent')
    .option('--types <list>', 'these types alone, separated by commas')
    .option('--secret <secret>', 'signs what is sent (whsec_…); made when absent')
    .action(listen)
  return webhooks
}

type ListenFlags = ServerFlags & { readonly forwardTo?: string; readonly types?: string; readonly secret?: string }
type Feed = {
  readonly data: readonly { readonly id: string; readonly type: string; readonly object: string }[]
  readonly nextCursor: string
}

/** Until it is stopped, from what happens next on. An event that the local server does not take is said, and the next one follows. */
async function listen({ forwardTo, types, secret = webhookSecret(randomBytes), ...flags }: ListenFlags): Promise<void> {
  const client = createBillClient(flags)
  const ofTypes = types === undefined ? '' : `&types=${encodeURIComponent(types)}`
  let { nextCursor } = await client.ask<Feed>('GET', '/v1/webhook-events?start=end&limit=1')
  if (forwardTo !== undefined) console.log(`Events are sent to ${forwardTo}, signed with ${secret}`)
  console.log('Waiting for events. Ctrl-C ends.')
  for (;;) {
    const page = await client.ask<Feed>('GET', `/v1/webhook-events?waitMs=${WAIT_MS}&cursor=${encodeURIComponent(nextCursor)}${ofTypes}`)
    for (const event of page.data) {
      const outcome = forwardTo === undefined ? '' : ` → ${await forward(forwardTo, secret, event)}`
      console.log(`${event.id}  ${event.type}  ${event.object}${outcome}`)
    }
    nextCursor = page.nextCursor
  }
}

const WAIT_MS = 10_000

async function forward(url: string, secret: string, event: Feed['data'][number]): Promise<string> {
  const body = JSON.stringify(event)
  const headers = { ...webhookHeaders([secret], event.id, Date.now(), body) }
  const signal = AbortSignal.timeout(FORWARD_MS_MAX)
  const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal }).catch((error: Error) => error)
  if (answer instanceof Error) return `no answer: ${answer.message}`
  await answer.body?.cancel()
  return String(answer.status)
}

const FORWARD_MS_MAX = 15_000

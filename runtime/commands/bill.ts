import { Command } from 'commander'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'

type RunFlags = {
  readonly asOf?: string
  readonly customer?: readonly string[]
  readonly dryRun?: boolean
  readonly url?: string
  readonly key?: string
}

type Run = {
  readonly id: string
  readonly status: 'running' | 'finished' | 'failed'
  readonly detail?: string
  readonly due?: number
  readonly finalised?: number
  readonly nothingDue?: number
  readonly behind?: readonly number[]
  readonly setAsideCount?: number
  readonly setAside?: readonly { readonly subscription: string; readonly code: string; readonly detail: string }[]
  readonly tookMs?: number
}

const LOOK_INTERVAL_MS = 200

export function billCommand(): Command {
  const run = new Command('run')
    .description('make final all documents that can be; may be run again at any time, as each is made once')
    .option('--as-of <time>', 'what can be final by then; now when absent')
    .option('--customer <key...>', 'these customers alone')
    .option('--dry-run', 'decide and write nothing')
    .option('--url <url>', 'where the server is (TOLLGATE_URL)')
    .option('--key <key>', 'key with scope billing (TOLLGATE_KEY, else TOLLGATE_ADMIN_KEY)')
    .action(billRun)
  return new Command('bill').description('documents of customers').addCommand(run)
}

async function billRun({ asOf, customer, dryRun, url, key }: RunFlags): Promise<void> {
  const config = commandConfig({ TOLLGATE_URL: url, TOLLGATE_KEY: key })
  const secret = config.clientKey ?? config.adminKey
  if (secret === null) throw new CommandFailed('A key is needed: --key, TOLLGATE_KEY or TOLLGATE_ADMIN_KEY.', 2)
  const base = config.clientUrl ?? `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${config.port}`
  const ask = async (method: string, path: string, body?: unknown): Promise<Run> => {
    const init: RequestInit = { method, headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' } }
    if (body !== undefined) init.body = JSON.stringify(body)
    const answer = await fetch(`${base}${path}`, init).catch((error: Error) => {
      throw new CommandFailed(`${base} cannot be reached: ${error.message}`)
    })
    const text = await answer.text()
    if (!answer.ok) throw new CommandFailed(`${method} ${path} was answered ${answer.status}: ${text.slice(0, 500)}`)
    return JSON.parse(text) as Run
  }
  let run = await ask('POST', '/v1/billing-runs', {
    ...(asOf !== undefined && { asOf }),
    ...(customer !== undefined && { customers: customer }),
    ...(dryRun === true && { dryRun }),
  })
  while (run.status === 'running') {
    await systemClock.sleep(LOOK_INTERVAL_MS)
    run = await ask('GET', `/v1/billing-runs/${run.id}`)
  }
  report(run, dryRun === true)
}

function report(
  { id, status, detail, due = 0, finalised = 0, nothingDue = 0, behind = [], setAsideCount = 0, setAside = [], tookMs = 0 }: Run,
  isDry: boolean,
): void {
  if (status === 'failed') throw new CommandFailed(`Run ${id} failed: ${detail ?? 'the log of the server says why'}`)
  const made = isDry ? 'would be made final' : 'made final'
  console.log(`Run ${id}: ${due} subscriptions due, ${finalised} documents ${made}, ${nothingDue} with nothing due, in ${tookMs} ms.`)
  for (const { subscription, code, detail: why } of setAside) console.log(`  set aside: ${subscription} ${code} ${why}`)
  if (behind.length > 0) console.log(`  usage_behind: partitions ${behind.join(', ')} were left out; run again.`)
  if (setAsideCount > 0 || behind.length > 0) throw new CommandFailed(`${setAsideCount} subscriptions were set aside.`)
}

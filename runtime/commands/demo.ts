import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { Command } from 'commander'
import { Registry } from 'prom-client'
import packageJson from '../../package.json' with { type: 'json' }
import { DEMO_QUERY, finalText, invoiceText, tableText } from '../demo/demo-report.ts'
import { createDemoView } from '../demo/demo-view.ts'
import { type DemoApi, type DemoResult, runDemo } from '../demo/run-demo.ts'
import { createLog } from '../log.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { startServer } from '../server.ts'
import { commandConfig } from '../settings/command-config.ts'
import type { Config } from '../settings/config.ts'
import { openStores } from '../stores.ts'

const DEMO_DIRECTORY = './.tollgate-demo'

type DemoFlags = { readonly seconds: string; readonly dataDir?: string }

export function demoCommand(): Command {
  return new Command('demo')
    .description('set up an AI product, stream usage of a few hundred customers and print an invoice, checked against what was sent')
    .option('--seconds <number>', 'how long to stream', '20')
    .option('--data-dir <path>', `an empty or new directory; by default ${DEMO_DIRECTORY}, made anew each time`)
    .action(demo)
}

async function demo({ seconds, dataDir }: DemoFlags): Promise<void> {
  const durationMs = Number(seconds) * 1_000
  if (!(durationMs >= 1_000 && durationMs <= 600_000)) throw new CommandFailed(`--seconds is "${seconds}"; give a number from 1 to 600.`, 2)
  const directory = emptyDirectory(dataDir)
  const adminKey = `tg_${randomBytes(24).toString('base64url')}`
  const config = commandConfig({
    TOLLGATE_DATA_DIR: directory,
    TOLLGATE_PORT: '0',
    TOLLGATE_HOST: '127.0.0.1',
    TOLLGATE_ADMIN_KEY: adminKey,
    TOLLGATE_LOG_LEVEL: process.env.TOLLGATE_LOG_LEVEL ?? 'warn',
  })
  const result = await stream(config, adminKey, durationMs)
  console.log(invoiceText(result))
  console.log(finalText(result))
  await showQuery(config, result.customer)
  console.log(exploringText(directory, adminKey, result))
  if (result.owed !== result.invoice.total) {
    throw new CommandFailed(`The invoice says ${result.invoice.total}, but the events sent add up to ${result.owed}.`)
  }
  const disproved = result.final.proofs.filter(({ agrees }) => !agrees).length
  if (disproved > 0) throw new CommandFailed(`${disproved} lines of the final invoice do not come to the same from their events.`)
}

async function stream(config: Config, adminKey: string, durationMs: number): Promise<DemoResult> {
  const server = await startServer({ config, clock: systemClock, log: createLog(config), version: packageJson.version })
  console.log(`Tollgate ${packageJson.version} serves the demo on ${server.url}: an AI product with tokens, API calls and agent runs.\n`)
  try {
    return await runDemo({
      api: httpApi(server.url, adminKey),
      view: createDemoView(process.stdout),
      durationMs,
      now: () => performance.now(),
    })
  } finally {
    await server.stop()
  }
}

/** An embedded usage store serves one process, so the analyst's query runs after the server has closed it. */
async function showQuery(config: Config, customer: string): Promise<void> {
  const stores = await openStores({ config, clock: systemClock, log: createLog(config), registry: new Registry(), doing: 'demo' })
  try {
    console.log(`What an analyst would ask:\n\n${DEMO_QUERY}\n`)
    console.log(tableText(await stores.usageStore.query(DEMO_QUERY, { customer })))
  } finally {
    await stores.stop()
  }
}

function httpApi(url: string, key: string): DemoApi {
  return async <Body>(method: string, path: string, body?: unknown) => {
    const init: RequestInit = { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } }
    if (body !== undefined) init.body = JSON.stringify(body)
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    if (!response.ok) throw new CommandFailed(`${method} ${path} was answered ${response.status}: ${text.slice(0, 500)}`)
    return JSON.parse(text) as Body
  }
}

/** Only the demo's own directory is deleted, never one that somebody named. */
function emptyDirectory(named: string | undefined): string {
  if (named === undefined) {
    rmSync(DEMO_DIRECTORY, { recursive: true, force: true })
    return DEMO_DIRECTORY
  }
  if (existsSync(named) && readdirSync(named).length > 0) {
    throw new CommandFailed(`--data-dir ${named} is not empty; the demo wants an empty or new directory.`, 2)
  }
  return named
}

function exploringText(directory: string, adminKey: string, { customer }: DemoResult): string {
  const curl = (path: string) => `  curl -s "http://127.0.0.1:8080${path}" -H "Authorization: Bearer ${adminKey}"`
  return [
    'Keep exploring what is there, in the console or by curl:',
    '',
    `  TOLLGATE_DATA_DIR=${directory} npm start`,
    `  http://127.0.0.1:8080/console#key=${adminKey}`,
    curl(`/v1/customers/${customer}/balances`),
    curl(`/v1/invoices?customer=${customer}`),
    curl('/v1/meters/tokens/usage?window=minute&groupBy=model'),
    '',
  ].join('\n')
}

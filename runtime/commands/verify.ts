import { Command } from 'commander'
import { Registry } from 'prom-client'
import type { Difference } from '../../aggregator/difference.ts'
import { verify } from '../../aggregator/verify.ts'
import { commandConfig } from '../command-config.ts'
import { CommandFailed } from '../command-failed.ts'
import { createLog } from '../log.ts'
import { openStores } from '../stores.ts'
import { systemClock } from '../system-clock.ts'

export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'recompute windows and counters from the stored events and print every difference (exit code 1), or none; stop the server first',
    )
    .action(runVerify)
}

async function runVerify(): Promise<void> {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  const stores = await openStores({ config, clock: systemClock, log, registry: new Registry(), doing: 'verify' })
  try {
    const startedMs = performance.now()
    const report = await verify({
      ...stores,
      nowMs: systemClock.now(),
      onDifference: (difference) => console.log(differenceText(difference)),
    })
    for (const note of report.notes) console.log(`note: ${note}`)
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    const checked = `${count(report.events, 'event')}, ${count(report.windows, 'window')} and ${count(report.counters, 'counter')} in ${seconds} s`
    if (report.differences > 0) throw new CommandFailed(`${count(report.differences, 'difference')} found in ${checked}.`)
    console.log(`No difference found in ${checked}.`)
  } finally {
    await stores.stop()
  }
}

function differenceText({ view, where, expected, found }: Difference): string {
  return `${view}: ${where}\n  expected  ${expected}\n  found     ${found}`
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`
}

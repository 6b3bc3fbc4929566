import { writeFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { Registry } from 'prom-client'
import type { Difference } from '../../aggregator/verify/difference.ts'
import { type VerifyReport, verify } from '../../aggregator/verify/verify.ts'
import { decodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'
import { createLog } from '../log.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'
import { isAllElsewhere, openStores } from '../stores.ts'

export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'compare events with the log, and windows, counters and dedupe filter with the events; print every difference (exit code 1), or none. Embedded stores: stop the server first',
    )
    .option('--json [file]', 'write a report as JSON to a file, or to standard output instead of text')
    .option('--limit <differences>', 'print at most this many differences', wholeNumber, PRINTED_MAX)
    .action(runVerify)
}

const PRINTED_MAX = 100

async function runVerify(options: { json?: string | true; limit: number }): Promise<void> {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  const print = options.json === true ? () => undefined : console.log
  const stores = await openStores({ config, clock: systemClock, log, registry: new Registry(), doing: 'verify' })
  try {
    const startedMs = performance.now()
    const listed: Difference[] = []
    const report = await verify({
      ...stores,
      decode: decodeUsageEventBatch,
      clock: systemClock,
      isLive: isAllElsewhere(config),
      onDifference(difference) {
        if (listed.length >= options.limit) return
        listed.push(difference)
        print(differenceText(difference))
      },
    })
    const tookMs = Math.round(performance.now() - startedMs)
    if (options.json !== undefined) await writeJson(options.json, jsonReport(report, listed, tookMs))
    for (const note of report.notes) print(`note: ${note}`)
    if (report.differences > listed.length)
      print(`${count(report.differences - listed.length, 'more difference')}; --limit prints more of them.`)
    const checked = checkedText(report, tookMs)
    if (report.differences > 0) throw new CommandFailed(`${count(report.differences, 'difference')} found in ${checked}.`)
    print(`No difference found in ${checked}.`)
  } finally {
    await stores.stop()
  }
}

/** Fields are only ever added, as scripts read this report. */
function jsonReport(report: VerifyReport, listed: readonly Difference[], tookMs: number): object {
  return {
    format: 1,
    checkedAt: new Date(systemClock.now()).toISOString(),
    tookMs,
    isClean: report.differences === 0,
    differences: { total: report.differences, listed },
    partitions: report.partitions,
    notes: report.notes,
  }
}

async function writeJson(to: string | true, report: object): Promise<void> {
  const text = `${JSON.stringify(report, null, 2)}\n`
  if (to === true) process.stdout.write(text)
  else await writeFile(to, text)
}

export function differenceText({ view, where, expected, found }: Difference): string {
  return `${view}: ${where}\n  expected  ${expected}\n  found     ${found}`
}

export function checkedText({ partitions }: VerifyReport, tookMs: number): string {
  const sum = (field: 'events' | 'windows' | 'counters' | 'logEvents') => partitions.reduce((total, each) => total + each[field], 0)
  const views = `${count(sum('events'), 'event')}, ${count(sum('windows'), 'window')} and ${count(sum('counters'), 'counter')}`
  return `${views}, with ${count(sum('logEvents'), 'event')} of the log, in ${(tookMs / 1_000).toFixed(1)} s`
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

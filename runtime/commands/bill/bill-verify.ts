import { Command, InvalidArgumentError } from 'commander'
import { Registry } from 'prom-client'
import { type LateUsageDeps, lateUsage } from '../../../billing/verify/late-usage.ts'
import { type BookReport, verifyBook } from '../../../billing/verify/verify-book.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal } from '../../../domain/refusal.ts'
import { parseInstant } from '../../../schemas/http/instants.ts'
import { createUsageReader } from '../../../usage/usage-reader.ts'
import { createLog } from '../../log.ts'
import { CommandFailed } from '../../process/command-failed.ts'
import { systemClock } from '../../process/system-clock.ts'
import { commandConfig } from '../../settings/command-config.ts'
import { openStores } from '../../stores.ts'
import { count, wholeNumber } from '../verify.ts'

type VerifyFlags = { readonly since?: InstantMs; readonly tenant?: string; readonly limit: number }

export function billVerifyCommand(): Command {
  return new Command('verify')
    .description(
      'count every final line again from its events, and check documents, numbers, the chain of hashes and the ledger; print every difference (exit code 1), or none. Embedded stores: stop the server first',
    )
    .option(
      '--since <time>',
      'count lines of documents again that close at this instant or later; the chain is always checked whole',
      instant,
    )
    .option('--tenant <key>', 'this tenant alone')
    .option('--limit <differences>', 'print at most this many differences', wholeNumber, PRINTED_MAX)
    .action(billVerify)
}

const PRINTED_MAX = 100
const PROGRESS_EVERY_MS = 5_000

async function billVerify({ since, tenant, limit }: VerifyFlags): Promise<void> {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  const stores = await openStores({ config, clock: systemClock, log, registry: new Registry(), doing: 'bill verify' })
  const startedMs = performance.now()
  let printed = 0
  let shownMs = startedMs
  const sum = { documents: 0, lines: 0, differences: 0, late: 0 }
  try {
    for (const each of tenant === undefined ? await stores.billing.audit.tenants() : [tenant as TenantKey]) {
      const report = await verifyBook(
        { ...stores.billing, usageStore: stores.usageStore },
        {
          tenant: each,
          ...(since !== undefined && { sinceMs: since }),
          onDifference({ what, where, expected, found }) {
            if (printed++ < limit) console.log(`${each} ${where}: ${what}\n  expected  ${expected}\n  found     ${found}`)
          },
          onPage(progress) {
            if (performance.now() - shownMs < PROGRESS_EVERY_MS) return
            shownMs = performance.now()
            console.log(`${each}: ${checked(progress)} so far`)
          },
        },
      )
      for await (const subscription of lateUsage(lateDeps(stores), each, systemClock.now())) {
        if (sum.late++ < limit) console.log(`${each} ${subscription}: has usage that came after its late window`)
      }
      sum.documents += report.documents
      sum.lines += report.lines
      sum.differences += report.differences
    }
  } finally {
    await stores.stop()
  }
  const what = `${checked(sum)}, in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`
  if (printed > limit) console.log(`${count(printed - limit, 'more difference')}; --limit prints more of them.`)
  if (sum.differences > 0) throw new CommandFailed(`${count(sum.differences, 'difference')} found in ${what}.`)
  console.log(`No difference found in ${what}.`)
  if (sum.late > 0)
    console.log(`Usage of ${count(sum.late, 'subscription')} came too late to be billed by itself: bill run --late-from TIME`)
}

function lateDeps({ billing, usageStore, eventLog: { partitions } }: Awaited<ReturnType<typeof openStores>>): LateUsageDeps {
  return { ...billing, usageStore, partitions, usageReader: createUsageReader({ usageStore, partitions, clock: systemClock }) }
}

function checked({ documents, lines }: BookReport): string {
  return `${count(documents, 'document')} and ${count(lines, 'counted line')}`
}

function instant(text: string): InstantMs {
  const parsed = parseInstant(text, 'since')
  if (isRefusal(parsed)) throw new InvalidArgumentError('It must be an instant, such as 2026-11-01T00:00:00Z.')
  return parsed
}

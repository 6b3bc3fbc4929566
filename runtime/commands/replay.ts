import { Command, Option } from 'commander'
import { Registry } from 'prom-client'
import { AGGREGATOR_DEFAULTS } from '../../aggregator/aggregator.ts'
import { holdPartitions } from '../../aggregator/partition/partition-hold.ts'
import { repairEvents } from '../../aggregator/replay/repair-events.ts'
import { replay } from '../../aggregator/replay/replay.ts'
import { verify } from '../../aggregator/verify/verify.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { decodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'
import { createLog } from '../log.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'
import { openStores, type Stores } from '../stores.ts'
import { checkedText, count, differenceText } from './verify.ts'

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'rebuild windows and counters beside the live ones, swap them in, and print what was wrong before. Stop the server first, or with servers for all stores the role aggregator',
    )
    .addOption(
      new Option('--from <source>', 'the stored events, or the log as far as it reaches and the stored events below')
        .choices(['events', 'log'])
        .makeOptionMandatory(),
    )
    .option('--meter <key>', 'this meter alone')
    .option('--tenant <key>', "this tenant's meters alone")
    .action(runReplay)
}

type ReplayArguments = { readonly from: 'events' | 'log'; readonly meter?: string; readonly tenant?: string }

async function runReplay(given: ReplayArguments): Promise<void> {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  const stores = await openStores({ config, clock: systemClock, log, registry: new Registry(), doing: 'replay' })
  try {
    const hold = await holdPartitions(stores.eventLog, AGGREGATOR_DEFAULTS.group, TAKES_OVER_WITHIN_MS, systemClock)
    try {
      await replayHeld(stores, given, hold.isHeld)
    } finally {
      await hold.release()
    }
  } finally {
    await stores.stop()
  }
}

/** A rebalance in Kafka takes seconds, and longer while it waits for a dead member. */
const TAKES_OVER_WITHIN_MS = 60_000
const PRINTED_MAX = 100

async function replayHeld(stores: Stores, given: ReplayArguments, isAlone: () => boolean): Promise<void> {
  const isWanted = ({ tenant, key }: Meter) => (given.meter ?? key) === key && (given.tenant ?? tenant) === tenant
  const meters = (await stores.meters.all()).filter(isWanted)
  if (meters.length === 0) throw new CommandFailed('There is no such meter: nothing to replay.')
  const before = await compare(stores, isWanted)
  console.log(before === 0 ? 'Before: no difference.' : `Before: ${count(before, 'difference')}, above.`)
  if (given.from === 'log') await mendAll(stores)
  const {
    meters: replayed,
    events,
    customers,
  } = await replay({
    ...stores,
    partitions: stores.eventLog.partitions,
    clock: systemClock,
    isWanted,
    isAlone,
    onStep: (step) => console.log(step),
  })
  console.log(
    `${count(replayed, 'meter')} counted anew, ${count(events, 'event')} read, counters of ${count(customers, 'customer')} computed.`,
  )
  const after = await compare(stores, isWanted)
  if (after > 0) throw new CommandFailed(`${count(after, 'difference')} left, above.`)
  console.log(before === 0 ? 'After: no difference.' : `After: no difference; ${count(before, 'difference')} repaired.`)
}

async function mendAll({ eventLog, usageStore }: Stores): Promise<void> {
  const positions = await usageStore.positions()
  for (let number = 0; number < eventLog.partitions; number++) {
    const partition = number as Partition
    const toOffset = positions.get(partition) ?? (0 as Offset)
    const { restored, removed, lost } = await repairEvents({ eventLog, usageStore, decode: decodeUsageEventBatch }, { partition, toOffset })
    if (restored + removed + lost === 0) continue
    console.log(
      `partition ${partition}: ${count(restored, 'event')} restored from the log, ${removed} taken out that the log does not have so`,
    )
    if (lost > 0)
      console.log(`partition ${partition}: ${count(lost, 'report')} that set usage cannot be restored: what they added is not in the log`)
  }
}

async function compare(stores: Stores, isWanted: (meter: Meter) => boolean): Promise<number> {
  const startedMs = performance.now()
  let printed = 0
  const report = await verify({
    ...stores,
    decode: decodeUsageEventBatch,
    clock: systemClock,
    isLive: false,
    isWanted,
    onDifference(difference) {
      if (printed++ < PRINTED_MAX) console.log(differenceText(difference))
    },
  })
  if (printed > PRINTED_MAX) console.log(`${count(printed - PRINTED_MAX, 'more difference')}.`)
  for (const note of report.notes) console.log(`note: ${note}`)
  console.log(`Compared ${checkedText(report, Math.round(performance.now() - startedMs))}.`)
  return report.differences
}

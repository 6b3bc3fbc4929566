import type { CustomerKey, InstantMs, Partition } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { encodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'
import type { World } from './cluster.ts'
import { createCaller } from './network.ts'

/** Senders of events. Each sends a batch until it is acknowledged, and sends some batches again later. */
export type Traffic = {
  send(): void
  /** Batches that are not acknowledged yet. */
  underWay(): number
}

export function createTraffic(world: World, customers: readonly CustomerKey[]): Traffic {
  const { random, network, clock, eventLog, catalog } = world
  const senders = createCaller()
  const byPartition = Map.groupBy(customers, (customer) => partitionOf(catalog.tenant, customer, eventLog.partitions))
  const sent: { readonly partition: Partition; readonly events: readonly UsageEvent[] }[] = []
  let underWay = 0
  let ids = 0

  function event(customer: CustomerKey): UsageEvent {
    ids++
    const ageMs = random.chance(0.5) ? random.integer(0, 30_000) : random.integer(-60_000, random.pick([5_400_000, 20 * 86_400_000]))
    return {
      id: `e${ids}`,
      source: 'default',
      type: random.chance(0.9) ? 'llm' : 'other',
      customer,
      subject: null,
      occurredAtMs: (clock.now() - ageMs) as InstantMs,
      data: JSON.stringify({ tokens: quantity(), model: random.pick(['a', 'b', 'c']), user: `u${random.integer(1, 5)}` }),
      attributes: null,
    }
  }

  function quantity(): number | string | undefined {
    if (random.chance(0.03)) return random.pick(['many', undefined])
    return random.chance(0.1) ? `${random.integer(0, 9)}.${random.integer(1, 999_999_999)}` : random.integer(1, 1000)
  }

  function batch() {
    // Mostly recent batches, as retries are; a part of one, or more events beside it.
    const again = random.chance(0.15) ? sent[Math.max(0, sent.length - 1 - random.integer(0, random.pick([3, 400])))] : undefined
    if (again !== undefined) {
      const repeated = again.events.filter(() => random.chance(0.7))
      const fresh = again.events.filter(() => random.chance(0.3)).map(({ customer }) => event(customer))
      const events = [...repeated, ...fresh]
      if (events.length > 0) return { partition: again.partition, events }
    }
    const [partition, ofPartition] = random.pick([...byPartition])
    return { partition, events: Array.from({ length: random.integer(1, 4) }, () => event(random.pick(ofPartition))) }
  }

  async function deliver(partition: Partition, events: readonly UsageEvent[]): Promise<void> {
    underWay++
    const value = encodeUsageEventBatch({ tenant: catalog.tenant, events })
    for (;;) {
      try {
        // Gateways' clocks differ a little.
        const receivedAtMs = (clock.now() - random.integer(0, 1000)) as InstantMs
        await network.call(senders, () => eventLog.append(partition, value, receivedAtMs))
        break
      } catch {
        await clock.sleep(300)
      }
    }
    underWay--
  }

  return {
    send() {
      const { partition, events } = batch()
      sent.push({ partition, events })
      void deliver(partition, events)
    },
    underWay: () => underWay,
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createEmbeddedCounters } from '../../adapters/counters/embedded-counters.ts'
import { NANO } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, InstantMs, Partition, TenantKey } from '../../domain/identity.ts'
import { describeCounters } from './counters.ts'

const log = pino({ level: 'silent' })

describeCounters('embedded', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  return {
    open: (now) => createEmbeddedCounters({ path, clock: { now }, log, registry: new Registry() }),
    remove: () => rm(path, { recursive: true, force: true }),
  }
})

test('killed while it counts, position and values agree and nothing durable is lost', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-counters-'))
  const node = join(import.meta.dirname, '../../node_modules/.bin/node')
  const partition = 0 as Partition
  for (const lines of [1, 4, 9]) {
    const child = spawn(node, [join(import.meta.dirname, 'counters-child.ts'), path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    let durable = 0
    let seen = 0
    for await (const line of createInterface({ input: child.stdout })) {
      durable = Number(line)
      if (++seen === lines) child.kill('SIGKILL')
    }
    await exited
    expect(seen).toBeGreaterThanOrEqual(lines)

    const counters = await createEmbeddedCounters({ path, clock: { now: () => 0 as InstantMs }, log, registry: new Registry() })
    const position = await counters.position(partition)
    const customer = { tenant: 'default' as TenantKey, customer: 'acme' as CustomerKey, partition }
    const wanted = ['a', 'b', 'c'].map((feature) => ({ feature: feature as FeatureKey, periodStartMs: 0 as InstantMs }))
    const readings = await counters.read(customer, wanted, 0 as InstantMs)
    await counters.stop()
    expect(position).toBeGreaterThanOrEqual(durable)
    const records = BigInt(position)
    expect(readings.map((reading) => reading?.usedUnits)).toEqual([records, 2n * records, records * NANO])
  }
  await rm(path, { recursive: true, force: true })
})

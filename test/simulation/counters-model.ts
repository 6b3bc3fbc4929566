import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Counters } from '../../adapters/counters/counters.ts'
import type { CounterFile } from '../../adapters/counters/embedded/counter-file.ts'
import { LOADED_KINDS, readRow } from '../../adapters/counters/embedded/counter-rows.ts'
import { createCountersIn } from '../../adapters/counters/embedded/embedded-counters.ts'
import type { CounterRow, RowKey } from '../../adapters/counters/embedded/stored-row.ts'
import type { Clock } from '../../base/clock.ts'
import { assertOwner, type Caller, createCaller, type Network, unanswered } from './network.ts'

/** The real embedded counters on a disk in memory. A crash loses what was not written yet. */
export type CountersModel = {
  /** The counters of this life. */
  current(): Counters
  start(): void
  crash(): void
  portFor(caller: Caller): Counters
}

export function createCountersModel(network: Network, clock: Clock): CountersModel {
  const rows = new Map<string, CounterRow>()
  let life = createCaller()
  let counters: Counters | null = null

  function current(): Counters {
    if (counters === null) throw new Error('the counters have not started')
    return counters
  }

  return {
    current,
    start() {
      life = createCaller()
      const of = life
      const disk = createDisk(rows, (effect) => network.call(of, effect))
      counters = createCountersIn(disk, { clock, log: SILENT, registry: new Registry(), flushIntervalMs: FLUSH_INTERVAL_MS })
    },
    crash: () => network.crash(life, 'now'),
    portFor(caller) {
      // A call to counters that have crashed since does not reach those started after them.
      const call = <Value>(effect: () => Promise<Value>) => {
        const to = life
        return network.call(caller, () => (to === life ? effect() : Promise.reject(unanswered())))
      }
      // All other calls are passed on to the counters of the life in which they arrive.
      const passedOn = Object.fromEntries(
        (Object.keys(current()) as (keyof Omit<Counters, 'snapshot'>)[]).map((name) => [
          name,
          (...args: unknown[]) => call(() => Reflect.apply(current()[name], null, args) as Promise<unknown>),
        ]),
      ) as unknown as Counters
      return {
        ...passedOn,
        track: (customer, tracked, at) =>
          call(async () => {
            assertOwner(caller, customer.partition)
            return await current().track(customer, tracked, at)
          }),
        onTrackingRequest: (listener) => current().onTrackingRequest((partition) => caller.isAlive && listener(partition)),
        scan: () => {
          throw new Error('an aggregator scans no counters')
        },
      }
    },
  }
}

/** Longer than the aggregators' flush interval, so that a crash mostly leaves the counters behind the usage store. */
const FLUSH_INTERVAL_MS = 3_000
const SILENT = pino({ level: 'silent' })

function createDisk(rows: Map<string, CounterRow>, call: (effect: () => void) => Promise<void>): CounterFile {
  return {
    *rows() {
      for (const kind of LOADED_KINDS) {
        const ofKind = [...rows.values()].filter(({ key }) => key[0] === kind).sort((a, b) => compareKeys(a.key, b.key))
        for (const { key, value } of ofKind) if (value !== undefined) yield readRow(key, value)
      }
    },
    get: (key) => rows.get(JSON.stringify(key))?.value,
    snapshot: async () => undefined,
    dueForgetRows: () => [],
    write: (written) =>
      call(() => {
        for (const row of written) {
          if (row.value === undefined) rows.delete(JSON.stringify(row.key))
          else rows.set(JSON.stringify(row.key), row)
        }
      }),
    close: async () => undefined,
  }
}

function compareKeys(a: RowKey, b: RowKey): number {
  for (let part = 0; part < Math.max(a.length, b.length); part++) {
    const [left, right] = [a[part], b[part]]
    if (left === right) continue
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}

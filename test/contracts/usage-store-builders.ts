import type { Flush, StoredEvent, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'

/** An instant in the middle of most tests. */
export const NOON = Date.parse('2024-03-15T12:00:00Z') as InstantMs

export const tenant = (key: string) => key as TenantKey
export const partition = (n: number) => n as Partition
export const offset = (n: number) => n as Offset
export const customer = (key: string) => key as CustomerKey
export const meter = (key: string) => key as MeterKey
export const instant = (ms: number) => ms as InstantMs

export function storedEvent(about: Partial<StoredEvent> = {}): StoredEvent {
  return {
    tenant: tenant('default'),
    customer: customer('acme'),
    source: 'default',
    id: 'e1',
    type: 'llm.request',
    subject: null,
    occurredAtMs: NOON,
    receivedAtMs: instant(NOON + 500),
    data: '{"tokens":1}',
    attributes: null,
    partition: partition(0),
    offset: offset(0),
    index: 0,
    ...about,
  }
}

export function windowRow(about: Partial<WindowRow> = {}): WindowRow {
  return {
    tenant: tenant('default'),
    meter: meter('tokens'),
    revision: 1,
    customer: customer('acme'),
    windowStartMs: NOON,
    dimensions: {},
    partition: partition(0),
    chunk: 0,
    version: offset(0),
    events: 1,
    sum: 0n,
    min: null,
    max: null,
    latest: null,
    unique: [],
    ...about,
  }
}

export const flushOf = (about: Partial<Flush>): Flush => ({ events: [], windows: [], positions: [], ...about })

import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { tellMemory } from '../../base/bounds/memory-owners.ts'
import { memoryState, observeProcessMemory, readMemoryUse } from './memory.ts'

const MIB = 2 ** 20
const use = { heapUsedBytes: 100 * MIB, heapBytesMax: 768 * MIB, residentBytes: 600 * MIB, residentBytesMax: 1024 * MIB }

test.each([
  { what: 'room', of: use, ok: true, says: 'heap 100 of 768 MiB, process 600 of 1024 MiB' },
  { what: 'no bound on the process', of: { ...use, residentBytesMax: 0 }, ok: true, says: 'heap 100 of 768 MiB, process 600 MiB' },
  { what: 'a full heap', of: { ...use, heapUsedBytes: 760 * MIB }, ok: false, says: 'the heap is the bound' },
  { what: 'a full process', of: { ...use, residentBytes: 1000 * MIB }, ok: false, says: 'the memory of the process is the bound' },
])('$what is told', ({ of, ok, says }) => {
  expect(memoryState(of)).toMatchObject({ ok, detail: expect.stringContaining(says) })
})

test('every owner is under one name, and heap and native are the process', async () => {
  const registry = new Registry()
  observeProcessMemory(registry)
  tellMemory(registry, 'windows', () => 42)
  const text = await registry.metrics()
  expect(text).toContain('tollgate_memory_bytes{owner="windows"} 42')
  const sum = ['heap', 'native'].reduce((bytes, owner) => bytes + Number(new RegExp(`owner="${owner}"} (\\d+)`).exec(text)?.[1]), 0)
  const { residentBytes } = readMemoryUse()
  expect(Math.abs(sum - residentBytes)).toBeLessThan(residentBytes / 5)
})

import { getHeapStatistics } from 'node:v8'
import type { Registry } from 'prom-client'
import { tellMemory } from '../../base/bounds/memory-owners.ts'

/** Above this share of what the process may have, memory is what bounds it. */
const SHARE_MAX = 0.95
const MIB = 2 ** 20

/** The whole process: what V8 keeps, and what lies outside of it, which is the engine, LMDB's pages and the threads. */
export function observeProcessMemory(registry: Registry): void {
  tellMemory(registry, 'heap', () => getHeapStatistics().total_heap_size)
  tellMemory(registry, 'native', () => {
    const { rss, heapTotal } = process.memoryUsage()
    return Math.max(0, rss - heapTotal)
  })
}

export type MemoryUse = {
  readonly heapUsedBytes: number
  readonly heapBytesMax: number
  readonly residentBytes: number
  /** 0 when nothing bounds it. */
  readonly residentBytesMax: number
}

export function readMemoryUse(): MemoryUse {
  const { used_heap_size, heap_size_limit } = getHeapStatistics()
  return {
    heapUsedBytes: used_heap_size,
    heapBytesMax: heap_size_limit,
    residentBytes: process.memoryUsage.rss(),
    residentBytesMax: process.constrainedMemory(),
  }
}

/** How `/readyz` tells of memory. Not well where it is the bound: then say which, and what to do. */
export function memoryState(use: MemoryUse): { readonly ok: boolean; readonly detail: string } {
  const { heapUsedBytes, heapBytesMax, residentBytes, residentBytesMax } = use
  const heap = `heap ${mib(heapUsedBytes)} of ${mib(heapBytesMax)} MiB`
  const isBounded = residentBytesMax > 0 && residentBytesMax < Number.MAX_SAFE_INTEGER
  const resident = `process ${mib(residentBytes)}${isBounded ? ` of ${mib(residentBytesMax)}` : ''} MiB`
  const isHeapFull = heapUsedBytes > heapBytesMax * SHARE_MAX
  const isProcessFull = isBounded && residentBytes > residentBytesMax * SHARE_MAX
  const advice = isHeapFull
    ? '; the heap is the bound: see tollgate_memory_bytes, and give it more (--max-old-space-size)'
    : isProcessFull
      ? '; the memory of the process is the bound: see tollgate_memory_bytes, and give it more'
      : ''
  return { ok: !isHeapFull && !isProcessFull, detail: `${heap}, ${resident}${advice}` }
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB)
}

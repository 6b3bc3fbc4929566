import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** CPU time that a process has used so far, user and system, from Linux's /proc. */
export type ProcessUsage = {
  readonly cpuMs: number
  /** CPU of the JavaScript thread alone; the rest is the engine, the garbage collector, the compiler and the thread pool. */
  readonly mainThreadCpuMs: number
  readonly residentBytes: number
  /** Bytes without mapped files: the event log is read through a mapping, whose pages the system takes back as needed. */
  readonly privateBytes: number
}

export function readProcessUsage(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    cpuMs: cpuMsOf(`/proc/${pid}/stat`),
    mainThreadCpuMs: cpuMsOf(`/proc/${pid}/task/${pid}/stat`),
    residentBytes: kilobytes(status, 'VmRSS') * 1024,
    privateBytes: kilobytes(status, 'RssAnon') * 1024,
  }
}

export function usageBetween(before: ProcessUsage, after: ProcessUsage): { cpuMs: number; mainThreadCpuMs: number } {
  return { cpuMs: after.cpuMs - before.cpuMs, mainThreadCpuMs: after.mainThreadCpuMs - before.mainThreadCpuMs }
}

/** CPU time of a process, its children alive now, and those it has waited for: a database works in a process per connection. */
export function readTreeCpuMs(pid: number): number {
  const children = childrenOf(pid)
  try {
    return cpuMsOf(`/proc/${pid}/stat`, true) + children.reduce((sum, child) => sum + readTreeCpuMs(child), 0)
  } catch {
    // The process has ended since it was listed; its parent has counted it by now.
    return 0
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return text.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** CPU time by thread name, of the threads alive now. */
export function readThreadCpuMs(pid: number): ReadonlyMap<string, number> {
  const byName = new Map<string, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const name = readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim()
      byName.set(name, (byName.get(name) ?? 0) + cpuMsOf(`/proc/${pid}/task/${thread}/stat`))
    } catch {
      // The thread has ended since it was listed.
    }
  }
  return byName
}

type MemorySample = { readonly atMs: number; readonly residentBytes: number; readonly privateBytes: number }

/** Reads resident memory at an interval until it is stopped. */
export function watchResidentMemory(pid: number, intervalMs: number): { stop(): readonly MemorySample[] } {
  const startedMs = performance.now()
  const samples: MemorySample[] = []
  const sample = () => {
    const { residentBytes, privateBytes } = readProcessUsage(pid)
    samples.push({ atMs: Math.round(performance.now() - startedMs), residentBytes, privateBytes })
  }
  sample()
  const timer = setInterval(sample, intervalMs)
  return {
    stop() {
      clearInterval(timer)
      sample()
      return samples
    },
  }
}

/** Resolves when the process has used nearly no CPU for a second: its background merges are done. */
export async function whenSettled(pid: number, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  let before = readProcessUsage(pid).cpuMs
  while (performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_WINDOW_MS))
    const now = readProcessUsage(pid).cpuMs
    if (now - before <= SETTLED_CPU_MS) return
    before = now
  }
}

const SETTLE_WINDOW_MS = 1_000
/** An idle server still runs its engine's timers and our polling. */
const SETTLED_CPU_MS = 60

const TICK_MS = 1_000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

function cpuMsOf(statFile: string, withChildren = false): number {
  const stat = readFileSync(statFile, 'utf8')
  // The name in brackets may hold spaces, so fields are counted after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, withChildren ? 15 : 13)
  return ticks.reduce((sum, count) => sum + Number(count), 0) * TICK_MS
}

function kilobytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN)
}

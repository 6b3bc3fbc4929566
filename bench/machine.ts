import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import packageJson from '../package.json' with { type: 'json' }

/** Where a result was measured, and which commit. */
export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly versions: Readonly<Record<string, string>>
  readonly commit: string
  readonly hasUncommittedChanges: boolean
  readonly startedAt: string
  /** Runnable processes over the last minute when the run began: above 1 the machine was shared, and wall-clock figures suffer. */
  readonly loadBefore: number
}

export function describeMachine(startedAt: Date, loadBefore: number): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    versions: { tollgate: packageJson.version, ...packageJson.dependencies },
    commit: git('rev-parse', 'HEAD'),
    hasUncommittedChanges: git('status', '--porcelain', '--untracked-files=no') !== '',
    startedAt: startedAt.toISOString(),
    loadBefore,
  }
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'unknown'
  }
}

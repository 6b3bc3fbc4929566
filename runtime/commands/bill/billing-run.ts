import { CommandFailed } from '../../process/command-failed.ts'
import { systemClock } from '../../process/system-clock.ts'
import type { BillClient } from './bill-client.ts'

export type RunRequest = {
  readonly asOf?: string
  readonly customers?: readonly string[]
  readonly dryRun?: boolean
  readonly lateFrom?: string
}

/** A run that has ended. */
export type Run = {
  readonly id: string
  readonly due: number
  readonly finalised: number
  readonly nothingDue: number
  readonly dropped: number
  readonly behind: readonly number[]
  readonly setAsideCount: number
  readonly setAside: readonly { readonly subscription: string; readonly code: string; readonly detail: string }[]
  readonly tookMs: number
}

type RunningRun = Partial<Run> & { readonly id: string; readonly status: 'running' | 'finished' | 'failed'; readonly detail?: string }

const LOOK_INTERVAL_MS = 200

/** One run, to its end. A run that failed ends the command. */
export async function performRun(client: BillClient, request: RunRequest): Promise<Run> {
  let run = await client.ask<RunningRun>('POST', '/v1/billing-runs', request)
  while (run.status === 'running') {
    await systemClock.sleep(LOOK_INTERVAL_MS)
    run = await client.ask<RunningRun>('GET', `/v1/billing-runs/${run.id}`)
  }
  if (run.status === 'failed') throw new CommandFailed(`Run ${run.id} failed: ${run.detail ?? 'the log of the server says why'}`)
  const { id, due = 0, finalised = 0, nothingDue = 0, dropped = 0, behind = [], setAsideCount = 0, setAside = [], tookMs = 0 } = run
  return { id, due, finalised, nothingDue, dropped, behind, setAsideCount, setAside, tookMs }
}

/** What a run made, and what it left out. */
export function printRun({ id, due, finalised, nothingDue, behind, setAside, tookMs }: Run, made = 'made final'): void {
  console.log(`Run ${id}: ${due} subscriptions due, ${finalised} documents ${made}, ${nothingDue} with nothing due, in ${tookMs} ms.`)
  for (const { subscription, code, detail } of setAside) console.log(`  set aside: ${subscription} ${code} ${detail}`)
  if (behind.length > 0) console.log(`  usage_behind: partitions ${behind.join(', ')} were left out; run again.`)
}

import type { Logger } from 'pino'
import type { BillingCursorStore } from '../../adapters/database/billing-cursors/billing-cursor-store.ts'
import type { BillingRunStore } from '../../adapters/database/billing-runs/billing-run-store.ts'
import type { BillingSettingsStore } from '../../adapters/database/billing-settings/billing-settings-store.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import { type BillingRunReport, type BillingRunRequest, type RunBillingDeps, runBilling } from './run-billing.ts'

/** A run as it is answered. */
export type BillingRun = {
  readonly id: string
  readonly status: 'running' | 'finished' | 'failed'
  readonly startedAt: string
  readonly asOf: string
  readonly dryRun: boolean
  readonly tookMs?: number
  /** Why it failed. */
  readonly detail?: string
} & Partial<Omit<BillingRunReport, 'cutOffs'>> & { readonly cutOffs?: Readonly<Record<string, number>> }

export type BillingRunsDeps = RunBillingDeps & {
  readonly cursors: BillingCursorStore
  readonly runs: BillingRunStore<BillingRun>
  readonly settings: Pick<BillingSettingsStore, 'get'>
  readonly log: Logger
  createId(): string
}

export type BillingRuns = {
  /** Resolves when the run is on record; it goes on in the background. */
  begin(request: Omit<BillingRunRequest, 'onPage'>): Promise<BillingRun>
  get(tenant: TenantKey, id: string): Promise<BillingRun | null>
  /** Runs every minute from now on. */
  start(): void
  /** Resolves when what is under way has ended; nothing begins any more. */
  drain(): Promise<void>
  /** What failed in the last run by the clock. */
  troubles(): readonly string[]
}

/** Runs by the clock, for tenants whose settings want them, and by hand. */
export function createBillingRuns(deps: BillingRunsDeps): BillingRuns {
  const { clock, log, runs } = deps
  const underWay = new Set<Promise<void>>()
  let troubles: readonly string[] = []
  let cancel = () => {}

  async function perform(run: BillingRun, request: BillingRunRequest): Promise<void> {
    const startedMs = clock.now()
    const ended = await runBilling(deps, request).then(
      ({ cutOffs, ...report }): BillingRun => ({ ...run, status: 'finished', ...report, cutOffs: Object.fromEntries(cutOffs) }),
      (error: unknown): BillingRun => {
        log.error({ err: error, tenant: request.tenant }, 'billing run failed')
        return { ...run, status: 'failed', detail: error instanceof Error ? error.message : String(error) }
      },
    )
    await runs.finish(request.tenant, run.id, { ...ended, tookMs: clock.now() - startedMs })
  }

  async function runDue(): Promise<void> {
    const nowMs = clock.now()
    const found: string[] = []
    for (const tenant of await deps.cursors.tenantsDue(nowMs)) {
      const { autoFinalise } = await deps.settings.get(tenant)
      if (!autoFinalise) continue
      const { cutOffs: _cutOffs, setAside, ...report } = await runBilling(deps, { tenant, asOfMs: nowMs })
      if (report.behind.length > 0) found.push('usage_behind')
      if (report.setAsideCount > 0) log.warn({ tenant, setAside: report.setAsideCount, first: setAside[0] }, 'subscriptions set aside')
      log.info({ tenant, ...report, tookMs: clock.now() - nowMs }, 'billed')
    }
    troubles = [...new Set(found)]
  }

  function keep(work: Promise<void>): Promise<void> {
    const kept = work.finally(() => underWay.delete(kept))
    underWay.add(kept)
    return kept
  }

  return {
    async begin(request) {
      const { tenant, asOfMs, isDry = false } = request
      const run: BillingRun = {
        ...{ id: deps.createId(), status: 'running', startedAt: iso(clock.now()), asOf: iso(asOfMs), dryRun: isDry },
      }
      await runs.save(tenant, run.id, run)
      keep(perform(run, request)).catch((error: unknown) => log.error({ err: error }, 'billing run not recorded'))
      return run
    },
    get: (tenant, id) => runs.get(tenant, id),
    start() {
      cancel = clock.every(MINUTE_MS, () =>
        keep(runDue()).catch((error: unknown) => {
          troubles = ['billing_run_failed']
          log.error({ err: error }, 'billing run failed')
        }),
      )
    },
    async drain() {
      cancel()
      await Promise.allSettled(underWay)
    },
    troubles: () => troubles,
  }
}

function iso(ms: InstantMs): string {
  return new Date(ms).toISOString()
}

import type { Logger } from 'pino'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { type CopyTablesDeps, copyTables } from './copy-tables.ts'

export type TablesKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly stores: {
    readonly usageStore: Pick<UsageStore, 'analystTables'>
    readonly billing: { readonly analystChanges: CopyTablesDeps['changes']; readonly analystRows: CopyTablesDeps['rows'] }
  }
}

const COPY_INTERVAL_MS = 1_000

/** Keeps the tables of analysts a second behind the book and the catalog. What cannot be copied now stays in the queue. */
export function openTables({ clock, log, stores }: TablesKit): Stage {
  const { usageStore, billing } = stores
  let cancel = () => {}
  let underWay: Promise<void> | null = null
  let isFailing = false

  async function copy(): Promise<void> {
    try {
      const deps = { changes: billing.analystChanges, rows: billing.analystRows, tables: usageStore.analystTables }
      const objects = await copyTables(deps)
      if (objects > 0) log.debug({ objects }, 'copied to the tables of analysts')
      isFailing = false
    } catch (error) {
      if (!isFailing) log.warn({ err: error }, 'tables of analysts not copied')
      isFailing = true
    }
  }

  function copyOnce(): Promise<void> {
    underWay ??= copy().finally(() => {
      underWay = null
    })
    return underWay
  }

  return {
    name: 'tables',
    async start() {
      cancel = clock.every(COPY_INTERVAL_MS, copyOnce)
    },
    async drain() {
      cancel()
      await underWay
      await copyOnce()
    },
    health: () => ({ ok: true, reasons: isFailing ? ['analyst_tables_behind'] : [] }),
  }
}

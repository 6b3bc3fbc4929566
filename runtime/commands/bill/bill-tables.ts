import { Command } from 'commander'
import { Registry } from 'prom-client'
import { copyTables, rebuildTables } from '../../../billing/tables/copy-tables.ts'
import { createLog } from '../../log.ts'
import { systemClock } from '../../process/system-clock.ts'
import { commandConfig } from '../../settings/command-config.ts'
import { openStores } from '../../stores.ts'
import { count } from '../verify.ts'

export function billTablesCommand(): Command {
  return new Command('tables')
    .description('copy what waits to the tables of analysts. Embedded stores: stop the server first')
    .option('--rebuild', 'empty them and copy everything anew')
    .action(billTables)
}

async function billTables({ rebuild = false }: { readonly rebuild?: boolean }): Promise<void> {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  const stores = await openStores({ config, clock: systemClock, log, registry: new Registry(), doing: 'bill tables' })
  try {
    const { analystChanges: changes, analystRows: rows } = stores.billing
    const deps = { changes, rows, tables: stores.usageStore.analystTables }
    const objects = rebuild ? await rebuildTables(deps) : await copyTables(deps)
    console.log(`${count(objects, 'object')} copied to the tables of analysts.`)
  } finally {
    await stores.stop()
  }
}

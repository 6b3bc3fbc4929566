import { Command } from 'commander'
import { Registry } from 'prom-client'
import { createLog } from '../log.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'
import { openStores } from '../stores.ts'

export function migrateCommand(): Command {
  return new Command('migrate').description('make or migrate the schemas of all stores, then end (serve does it too)').action(async () => {
    const config = commandConfig()
    const stores = await openStores({ config, clock: systemClock, log: createLog(config), registry: new Registry(), doing: 'migrate' })
    await stores.stop()
    console.log('All schemas are up to date.')
  })
}

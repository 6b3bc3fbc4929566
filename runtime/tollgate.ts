#!/usr/bin/env node
import './process/thread-pool.ts'
import { Command } from 'commander'
import { Fault } from '../base/fault.ts'
import packageJson from '../package.json' with { type: 'json' }
import { backupCommand } from './commands/backup.ts'
import { billCommand } from './commands/bill/bill.ts'
import { catalogCommand } from './commands/catalog/catalog.ts'
import { configCommand } from './commands/config.ts'
import { demoCommand } from './commands/demo.ts'
import { importCommand } from './commands/import.ts'
import { keysCommand } from './commands/keys.ts'
import { migrateCommand } from './commands/migrate.ts'
import { openapiCommand } from './commands/openapi.ts'
import { replayCommand } from './commands/replay.ts'
import { restoreCommand } from './commands/restore.ts'
import { serveCommand } from './commands/serve.ts'
import { verifyCommand } from './commands/verify.ts'
import { webhooksCommand } from './commands/webhooks/webhooks.ts'
import { CommandFailed } from './process/command-failed.ts'
import { DataDirectoryInUse, DataDirectoryNotWritable, DataDirectoryOpenToOthers } from './process/data-directory-lock.ts'
import { configTableText } from './settings/config-table.ts'

// All files that this process or an engine in it writes belong to this user alone, from the first byte.
process.umask(0o077)

const program = new Command('tollgate')
  .description(packageJson.description)
  .version(packageJson.version)
  .showHelpAfterError()
  .addCommand(serveCommand())
  .addCommand(demoCommand())
  .addCommand(importCommand())
  .addCommand(verifyCommand())
  .addCommand(replayCommand())
  .addCommand(backupCommand())
  .addCommand(restoreCommand())
  .addCommand(billCommand())
  .addCommand(catalogCommand())
  .addCommand(webhooksCommand())
  .addCommand(keysCommand())
  .addCommand(configCommand())
  .addCommand(migrateCommand())
  .addCommand(openapiCommand())
  .addHelpText('after', `\nSettings (environment variable, default, meaning):\n${configTableText()}`)

try {
  await program.parseAsync()
} catch (error) {
  if (!isForPeople(error)) throw error
  console.error(error.message)
  process.exitCode = error instanceof CommandFailed ? error.exitCode : 1
}

/** Errors that a person can act on are shown without a stack trace; any other error is a bug and shows one. */
function isForPeople(error: unknown): error is Error {
  return [CommandFailed, DataDirectoryInUse, DataDirectoryNotWritable, DataDirectoryOpenToOthers, Fault].some(
    (kind) => error instanceof kind,
  )
}

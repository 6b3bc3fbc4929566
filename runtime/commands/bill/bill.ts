import { Command } from 'commander'
import { billCloseCommand } from './bill-close.ts'
import { billExportCommand } from './bill-export.ts'
import { billRunCommand } from './bill-run.ts'
import { billVerifyCommand } from './bill-verify.ts'

export function billCommand(): Command {
  return new Command('bill')
    .description('documents of customers')
    .addCommand(billRunCommand())
    .addCommand(billCloseCommand())
    .addCommand(billVerifyCommand())
    .addCommand(billExportCommand())
}

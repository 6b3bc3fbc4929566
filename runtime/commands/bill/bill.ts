import { Command } from 'commander'
import { billCloseCommand } from './bill-close.ts'
import { billExportCommand } from './bill-export.ts'
import { billPreviewCommand } from './bill-preview.ts'
import { billRunCommand } from './bill-run.ts'
import { billTablesCommand } from './bill-tables.ts'
import { billVerifyCommand } from './bill-verify.ts'
import { billWhatIfCommand } from './bill-what-if.ts'

export function billCommand(): Command {
  return new Command('bill')
    .description('documents of customers')
    .addCommand(billRunCommand())
    .addCommand(billPreviewCommand())
    .addCommand(billCloseCommand())
    .addCommand(billWhatIfCommand())
    .addCommand(billVerifyCommand())
    .addCommand(billExportCommand())
    .addCommand(billTablesCommand())
}

import { Command } from 'commander'
import { CommandFailed } from '../../process/command-failed.ts'
import { createBillClient, type ServerFlags } from './bill-client.ts'
import { performRun, printRun } from './billing-run.ts'
import { withServer } from './server-options.ts'

type RunFlags = ServerFlags & {
  readonly asOf?: string
  readonly customer?: readonly string[]
  readonly dryRun?: boolean
  readonly lateFrom?: string
}

export function billRunCommand(): Command {
  return withServer(new Command('run'), 'billing')
    .description('make final all documents that can be; may be run again at any time, as each is made once')
    .option('--as-of <time>', 'what can be final by then; now when absent')
    .option('--customer <key...>', 'these customers alone')
    .option('--late-from <time>', 'bill usage too that came after its late window, of periods that end after this')
    .option('--dry-run', 'decide and write nothing')
    .action(billRun)
}

async function billRun({ asOf, customer, dryRun, lateFrom, ...server }: RunFlags): Promise<void> {
  const run = await performRun(createBillClient(server), {
    ...(asOf !== undefined && { asOf }),
    ...(customer !== undefined && { customers: customer }),
    ...(dryRun === true && { dryRun }),
    ...(lateFrom !== undefined && { lateFrom }),
  })
  printRun(run, dryRun === true ? 'would be made final' : 'made final')
  const { setAsideCount, behind } = run
  if (setAsideCount > 0 || behind.length > 0) throw new CommandFailed(`${setAsideCount} subscriptions were set aside.`)
}

import { Command } from 'commander'
import { CommandFailed } from '../process/command-failed.ts'
import { commandConfig, problemsText } from '../settings/command-config.ts'
import { readConfig } from '../settings/config.ts'
import { configTableMarkdown, configTableText } from '../settings/config-table.ts'

export function configCommand(): Command {
  return new Command('config')
    .description('show the settings and their values, or check them')
    .option('--check', 'name every problem at once; exit code 1 when there is one')
    .option('--markdown', 'print the table of the README')
    .action((options: { check?: boolean; markdown?: boolean }) => {
      if (options.markdown === true) console.log(configTableMarkdown())
      else if (options.check === true) check()
      else console.log(configTableText(commandConfig()))
    })
}

function check(): void {
  const { problems } = readConfig(process.env)
  if (problems.length > 0) throw new CommandFailed(problemsText(problems), 1)
  console.log('The configuration has no problem.')
}

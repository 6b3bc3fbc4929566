import { CommandFailed } from '../process/command-failed.ts'
import { type Config, readConfig } from './config.ts'

/** Command line options override the environment; all problems end the command at once. */
export function commandConfig(options: Readonly<Record<string, string | undefined>> = {}): Config {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const { config, problems } = readConfig({ ...process.env, ...Object.fromEntries(given) })
  if (config === null) throw new CommandFailed(problemsText(problems), 2)
  return config
}

export function problemsText(problems: readonly string[]): string {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return `The configuration has ${count}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`
}

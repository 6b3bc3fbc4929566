import { type Config, SETTINGS } from './config.ts'
import type { Setting } from './setting.ts'

const ROWS = Object.entries<Setting<unknown>>(SETTINGS)

/** The table of the README. */
export function configTableMarkdown(): string {
  const rows = ROWS.map(([, setting]) => {
    const shown = setting.show(setting.default)
    return `| \`${setting.name}\` | ${shown === '' ? '' : `\`${shown}\``} | ${setting.meaning} |`
  })
  return ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
}

/** The table of `--help`; given a config, it shows the configured values instead of the defaults. */
export function configTableText(config?: Config): string {
  const rows = ROWS.map(([key, setting]) => {
    const value = config === undefined ? setting.default : config[key as keyof Config]
    return { name: setting.name, value: setting.show(value), meaning: setting.meaning.replaceAll('`', '') }
  })
  const nameWidth = Math.max(...rows.map((row) => row.name.length))
  const valueWidth = Math.max(...rows.map((row) => row.value.length))
  return rows.map((row) => `  ${row.name.padEnd(nameWidth)}  ${row.value.padEnd(valueWidth)}  ${row.meaning}`).join('\n')
}

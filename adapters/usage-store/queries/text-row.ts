const SPECIALS = /[\0\t\n\r\\]/g
const ESCAPES: Readonly<Record<string, string>> = { '\0': '\\0', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' }

/** One row of text fields in ClickHouse's TabSeparated format. */
export function textRow(fields: readonly string[]): string {
  return `${fields.map((field) => field.replace(SPECIALS, (special) => ESCAPES[special] ?? special)).join('\t')}\n`
}

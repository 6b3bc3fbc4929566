import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drainPending, Session } from 'chdb'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** The embedded engine keeps no users, so it can only check the syntax of the statements that create them. */
let dir: string
let session: Session
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tollgate-analyst-'))
  session = new Session(dir)
})
afterAll(async () => {
  session.close()
  await drainPending()
  await rm(dir, { recursive: true, force: true })
})

const statements = readFileSync(new URL('../../deploy/clickhouse/analyst.sql', import.meta.url), 'utf8')
  .replaceAll(/^--.*$/gm, '')
  .replaceAll('ACME', 'acme-1')
  .split(/;\s*$/m)
  .map((statement) => statement.trim())
  .filter((statement) => statement !== '')

test.each(statements)('the engine understands: %s', async (statement) => {
  const quoted = `'${statement.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const result = await session.queryAsync(`SELECT length(formatQuery(${quoted}))`, { format: 'TabSeparated' })
  expect(Number(result.text())).toBeGreaterThan(0)
})

test('there is a policy for every table that a view of analysts reads', () => {
  const granted = statements.flatMap((statement) => /^GRANT SELECT ON (\w+) TO/.exec(statement)?.[1] ?? [])
  const tables = granted.filter(
    (name) =>
      !['usage', 'usage_events', 'invoices', 'invoice_lines', 'ledger_entries', 'customers', 'plans', 'subscriptions'].includes(name),
  )
  for (const policy of statements.filter((statement) => statement.startsWith('CREATE ROW POLICY'))) {
    expect(/ ON ([\w, ]+?)\s+FOR/.exec(policy)?.[1]?.split(', ')).toEqual(tables)
  }
})

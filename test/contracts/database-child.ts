import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { sqlCustomerStore } from '../../adapters/database/customers/customer-store.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'

// Runs as its own process, to be killed: puts customers without end and prints every acknowledged one to stderr, as V8 traces to
// stdout and the two would cut each other's lines.
const database = await openPGliteDatabase({
  path: process.argv[2] ?? '',
  clock: { ...systemClock, now: () => 0 as InstantMs },
  randomBytes,
  log: pino({ level: 'silent' }),
})
await database.migrate()
const customers = sqlCustomerStore(database.session)
const prefix = process.argv[3] ?? ''

async function putForEver(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const key = `${prefix}-${writer}-${n}` as CustomerKey
    await customers.put('t' as TenantKey, { key, name: 'x'.repeat(500), email: null, subjects: [`subject-${key}`], metadata: {} })
    process.stderr.write(`${key}.\n`)
  }
}

await Promise.all(Array.from({ length: 4 }, (_, writer) => putForEver(writer)))

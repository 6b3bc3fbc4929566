import { afterAll, describe, test } from 'vitest'
import { openDevServers } from '../support/servers/distributed-stack.ts'
import { removeDirectory, temporaryDirectory } from '../support/servers/tollgate-process.ts'
import { crashSeed } from './crash-seed.ts'

/** For more of them: `npm run test:crash -- --distributed --runs 20`. */
const SEEDS = [2]
const DEATHS_MAX = 4

const servers = await openDevServers()
const missing = servers.flatMap((server) => server.missing ?? [])

describe.skipIf(missing.length > 0)(`roles apart${missing.length > 0 ? ` (not run: ${missing.join('; ')})` : ''}`, async () => {
  const base = await temporaryDirectory()

  afterAll(async () => {
    await removeDirectory(base)
    for (const server of servers) await server.discard()
  }, 60_000)

  test.each(SEEDS)('any of them killed and started again, seed %i: nothing is lost, nothing is doubled', async (seed) => {
    await crashSeed({ seed, deathsMax: DEATHS_MAX, base, on: { servers } })
  })
})

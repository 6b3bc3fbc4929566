import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { judgedRun } from '../crash/judged-run.ts'
import { untilReady } from '../crash/killer.ts'
import { type ServerLife, type ServerPlace, startServerLife } from '../crash/server-life.ts'
import { createTemplate } from '../crash/template.ts'
import type { Verdict } from '../crash/trial.ts'
import { type Asking, createAsking } from './asking.ts'

export type UnderFault = { readonly life: ServerLife; readonly place: ServerPlace; readonly asking: Asking }

/**
 * The real server under load while `meet` puts faults in its way; then its data are compared with the sender's record, also after
 * a kill. The server must survive all of it.
 */
export async function faultyRun(options: {
  readonly seed: number
  readonly dataDir?: string
  readonly meet: (fault: UnderFault) => Promise<void>
}): Promise<Verdict> {
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-faults-'))
  let life: ServerLife | null = null
  try {
    const run = await judgedRun({
      seed: options.seed,
      directory,
      template: await createTemplate(),
      ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
      async disturb({ place, load, ledger }) {
        const started = startServerLife(place)
        life = started
        await untilReady(started)
        await load
        const ended = started.exited.then(({ code, signal }) => {
          throw new Error(`the server ended with ${signal ?? code}:\n${started.output()}`)
        })
        ended.catch(() => undefined)
        await Promise.race([options.meet({ life: started, place, asking: createAsking(place, ledger) }), ended])
        return started
      },
    })
    return run
  } catch (error) {
    throw new Error(`the last lines of the server:\n${(life as ServerLife | null)?.output()}`, { cause: error })
  } finally {
    await endLife(life)
    await rm(directory, { recursive: true, force: true })
  }
}

async function endLife(life: ServerLife | null): Promise<void> {
  life?.kill('SIGKILL')
  await life?.exited
}

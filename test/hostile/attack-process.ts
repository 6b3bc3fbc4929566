import { createAttacker, type Target } from './attacker.ts'
import { ATTACKS, type Attack, prepareAttacks } from './attacks.ts'

/** What the attackers are told: the targets, and how long a worker waits after each attempt. */
export type AttackOrder = { readonly targets: readonly Target[]; readonly pauseMs: number }
/** How often each kind of attack came to what. */
export type AttackCounts = Readonly<Record<string, Readonly<Record<string, number>>>>

/** All kinds of attacks at once by every tenant, in a process of their own; started by hostile-run.ts. It attacks until it is told to stop. */
process.once('message', (order: AttackOrder) => {
  attack(order).then(
    (counts) => process.send?.({ counts }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  )
})

async function attack({ targets, pauseMs }: AttackOrder): Promise<AttackCounts> {
  const attackers = targets.map(createAttacker)
  await Promise.all(attackers.map(prepareAttacks))
  process.send?.({ ready: true })
  const counts: Record<string, Record<string, number>> = {}
  let isOver = false
  const over = new Promise<void>((resolve) => process.once('message', () => resolve()))
  void over.then(() => {
    isOver = true
    for (const attacker of attackers) attacker.close()
  })

  async function work({ kind, attempt }: Attack, attacker: (typeof attackers)[number], worker: number): Promise<void> {
    for (let n = 0; !isOver; n++) {
      const outcome = await attempt(attacker, worker, n)
      if (isOver) return
      counts[kind] ??= {}
      counts[kind][outcome] = (counts[kind][outcome] ?? 0) + 1
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  await Promise.all(
    attackers.flatMap((attacker) =>
      ATTACKS.flatMap((each) => Array.from({ length: each.workers }, (_, worker) => work(each, attacker, worker))),
    ),
  )
  return counts
}

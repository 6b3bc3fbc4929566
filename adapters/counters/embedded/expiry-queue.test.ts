import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InstantMs } from '../../../domain/identity.ts'
import { inLongRun } from '../../../test/support/long-run.ts'
import { type Expiring, ExpiryQueue } from './expiry-queue.ts'

test('whatever is added and removed in between, what is due comes out, the earliest first', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), atMs: fc.nat(50) }),
    fc.record({ do: fc.constant('remove' as const), atMs: fc.nat(50) }),
    fc.record({ do: fc.constant('take' as const), atMs: fc.nat(50) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const queue = new ExpiryQueue<Expiring>()
      const model: Expiring[] = []
      for (const { do: what, atMs } of steps) {
        if (what === 'add') {
          const item = { expiresAtMs: atMs as InstantMs, place: -1 }
          queue.add(item)
          model.push(item)
        } else if (what === 'remove') {
          const [item] = model.splice(atMs % Math.max(1, model.length), 1)
          if (item !== undefined) queue.remove(item)
          if (item !== undefined) expect(item.place).toBe(-1)
        } else {
          const due = model.filter(({ expiresAtMs }) => expiresAtMs <= atMs).map(({ expiresAtMs }) => expiresAtMs)
          const taken = queue.takeDue(atMs as InstantMs)
          expect(taken?.expiresAtMs).toBe(due.length === 0 ? undefined : Math.min(...due))
          if (taken !== undefined) model.splice(model.indexOf(taken), 1)
        }
      }
    }),
    { numRuns: inLongRun(500, 125) },
  )
})

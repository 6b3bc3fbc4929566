import type { Clock } from '../base/clock.ts'
import type { InstantMs } from '../domain/identity.ts'

export const systemClock: Clock = { now: () => Date.now() as InstantMs }

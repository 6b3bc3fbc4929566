import { AUTUMN } from './autumn/autumn.ts'
import { KELVIQ } from './kelviq/kelviq.ts'
import { LAGO } from './lago/lago.ts'
import { OPENMETER } from './openmeter/openmeter.ts'
import { STRIPE } from './stripe/stripe.ts'
import type { Vendor } from './vendor.ts'

/** Every vendor whose shapes are answered; a new one is one line here. */
export const VENDORS: readonly Vendor[] = [KELVIQ, OPENMETER, AUTUMN, STRIPE, LAGO]

import { loadMutated } from '../support/source-mutant.ts'
import { CRASH_MUTANTS } from './mutants.ts'

/** Loaded before the server (`node --import`), which then runs with the mutant that CRASH_MUTANT names. */
const name = process.env.CRASH_MUTANT ?? ''
const mutant = CRASH_MUTANTS[name]
if (mutant === undefined) throw new Error(`there is no mutant '${name}', but ${Object.keys(CRASH_MUTANTS).join(', ')}`)

loadMutated(mutant)

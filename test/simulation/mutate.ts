import { loadMutated } from '../support/source-mutant.ts'
import { chosenMutant, MUTANTS } from './mutants.ts'

/** Loaded before a run (`node --import`): the run lacks the rule that SIMULATION_MUTANT names. */
const name = chosenMutant()
const mutant = name === null ? null : MUTANTS[name]
if (mutant !== null && 'file' in mutant) loadMutated(mutant)
if (mutant !== null && 'also' in mutant) loadMutated(mutant.also)

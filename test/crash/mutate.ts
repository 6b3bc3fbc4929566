import { registerHooks } from 'node:module'
import { CRASH_MUTANTS } from './mutants.ts'

/** Loaded before the server (`node --import`): it then runs with the mutant that CRASH_MUTANT names. */
const name = process.env.CRASH_MUTANT ?? ''
const mutant = CRASH_MUTANTS[name]
if (mutant === undefined) throw new Error(`there is no mutant '${name}', but ${Object.keys(CRASH_MUTANTS).join(', ')}`)

const url = new URL(`../../${mutant.file}`, import.meta.url).href
registerHooks({
  load(loadedUrl, context, nextLoad) {
    const loaded = nextLoad(loadedUrl, context)
    if (loadedUrl !== url) return loaded
    const source = String(loaded.source)
    if (source.split(mutant.source).length !== 2) throw new Error(`'${name}' is found once in ${mutant.file}; it has changed`)
    return { ...loaded, source: source.replace(mutant.source, () => mutant.replacement) }
  },
})

import { registerHooks } from 'node:module'

/** A piece of a source file that a guarantee depends on, and its replacement in a process that is started with it. */
export type SourceMutant = { readonly file: string; readonly source: string; readonly replacement: string }

/** This process loads the file with the replacement from now on. The load throws when the piece is not there exactly once. */
export function loadMutated({ file, source, replacement }: SourceMutant): void {
  const url = new URL(`../../${file}`, import.meta.url).href
  registerHooks({
    load(loadedUrl, context, nextLoad) {
      const loaded = nextLoad(loadedUrl, context)
      if (loadedUrl !== url) return loaded
      const text = String(loaded.source)
      if (text.split(source).length !== 2) throw new Error(`what a mutant replaces is found once in ${file}; it has changed: ${source}`)
      return { ...loaded, source: text.replace(source, () => replacement) }
    },
  })
}

import { fileURLToPath } from 'node:url'

/** A third of the processor time of a start is compiling. Node caches compiled code by content, so nothing grows stale. */
export const COMPILED_ONCE = { NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/tollgate', import.meta.url)) } as const

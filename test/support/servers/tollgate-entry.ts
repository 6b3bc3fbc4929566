import { fileURLToPath } from 'node:url'

/** What a server is started from: the bundle of this run of tests, or the sources in a run that has made none. */
export const TOLLGATE_ENTRY = process.env.TOLLGATE_TEST_ENTRY ?? fileURLToPath(new URL('../../../runtime/tollgate.ts', import.meta.url))

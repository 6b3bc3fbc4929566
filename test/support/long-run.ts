/**
 * `long` in `npm run test:long`, which is for the night and the release: many seeds and all variants. Otherwise `short`: as much
 * of the same as a change can wait for in `npm test`.
 */
export function inLongRun<Value>(long: Value, short: Value): Value {
  return process.env.TOLLGATE_TEST_LONG === '1' ? long : short
}

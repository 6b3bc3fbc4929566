import { expect, test } from 'vitest'
import { createOneAtATime } from './one-at-a-time.ts'

/** Calls that end when the test says so. */
function heldCalls() {
  const begun: { readonly name: string; end(): void }[] = []
  const call = (name: string) => () => new Promise<string>((resolve) => begun.push({ name, end: () => resolve(`${name}!`) }))
  return { begun, call }
}
const names = (calls: readonly { readonly name: string }[]) => calls.map(({ name }) => name)

test('a call begins when the one before it has ended, also when that one failed', async () => {
  const inLine = createOneAtATime()
  const { begun, call } = heldCalls()
  const failed = inLine(async () => {
    throw new Error('broken')
  })
  const answers = ['a', 'b', 'c'].map((name) => inLine(call(name)))
  await expect(failed).rejects.toThrow('broken')
  for (const at of [0, 1, 2]) {
    await expect.poll(() => begun.length).toBe(at + 1)
    begun[at]?.end()
  }
  expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'c!'])
})

test('a call that is given up under way keeps its place until it has ended; one given up before never begins', async () => {
  const inLine = createOneAtATime()
  const { begun, call } = heldCalls()
  const [first, second] = [new AbortController(), new AbortController()]
  const given = [inLine(call('a'), first.signal), inLine(call('b'), second.signal)]
  const last = inLine(call('c'))
  await expect.poll(() => names(begun)).toEqual(['a'])
  first.abort(new Error('left'))
  second.abort(new Error('left'))
  for (const each of given) await expect(each).rejects.toThrow('left')
  expect(names(begun)).toEqual(['a'])
  begun[0]?.end()
  await expect.poll(() => names(begun)).toEqual(['a', 'c'])
  begun[1]?.end()
  expect(await last).toBe('c!')
})

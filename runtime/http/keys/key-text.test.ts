import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { isBrokenKeyText, KEY_CHANCE_BYTES, keyText } from './key-text.ts'

const key = keyText('secret', new Uint8Array(KEY_CHANCE_BYTES).fill(7))

test.each(['secret', 'publishable'] as const)('a %s key is found by its form, and is whole', (kind) => {
  for (const chance of [randomBytes(32), new Uint8Array(32), new Uint8Array(32).fill(255)]) {
    const text = keyText(kind, chance)
    expect(text).toMatch(kind === 'secret' ? /^tg_sk_[A-Za-z0-9]{49}$/ : /^tg_pk_[A-Za-z0-9]{49}$/)
    expect(isBrokenKeyText(text)).toBe(false)
  }
})

test.each([
  { kind: 'one character changed', text: key.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')) },
  { kind: 'made up', text: `tg_sk_${'A'.repeat(49)}` },
  { kind: 'cut short', text: key.slice(0, -1) },
  { kind: 'with more behind it', text: `${key}0` },
  { kind: 'of the other kind', text: key.replace('sk', 'pk') },
  { kind: 'only the beginning', text: 'tg_sk_' },
])('$kind is told without a look-up', ({ text }) => expect(isBrokenKeyText(text)).toBe(true))

test.each([
  { kind: 'a key from before', text: `tg_${'A'.repeat(43)}` },
  { kind: 'one that begins like a newer key by chance', text: `tg_sk_${'A'.repeat(40)}` },
  { kind: 'a key that somebody chose', text: 'correct-horse-battery-staple' },
])('$kind may be good', ({ text }) => expect(isBrokenKeyText(text)).toBe(false))

test('every changed character and every pair of swapped neighbours is noticed', () => {
  for (let at = 6; at < key.length; at++) {
    const changed = `${key.slice(0, at)}${key[at] === 'x' ? 'y' : 'x'}${key.slice(at + 1)}`
    const swapped = `${key.slice(0, at)}${key[at + 1] ?? ''}${key[at]}${key.slice(at + 2)}`
    expect(isBrokenKeyText(changed)).toBe(true)
    expect(swapped === key || isBrokenKeyText(swapped)).toBe(true)
  }
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CustomerKey, InstantMs } from '../identity.ts'
import { customerNamed, formerCustomers, isCustomerName, type NameAssignment } from './customer-name.ts'

const at = (ms: number) => ms as InstantMs
const key = (text: string) => text as CustomerKey

describe('a name', () => {
  test.each([
    'acme',
    'auth0|5f7c',
    'USER#1',
    'a/b',
    'dGVzdA==',
    '山田太郎',
    'Ærøskøbing 7',
    '👩‍💻',
    '...',
    '.a',
    'a b',
    'x'.repeat(255),
    '\u{1f600}'.repeat(255),
    '__proto__',
    '%2e%2e',
  ])('%s', (name) => {
    expect(isCustomerName(name)).toBe(true)
  })

  test.each(['', '.', '..', ' a', 'a ', '\u00a0a', 'a\u3000', 'a\nb', 'a\0b', 'a\u0085b', 'a\ud800', '\udc00a', 'x'.repeat(256)])(
    '%j is none',
    (name) => {
      expect(isCustomerName(name)).toBe(false)
    },
  )

  test('as the rule says, whatever the text', () => {
    const says = (text: string) => {
      const characters = [...text]
      const isControl = (character: string) => /\p{Cc}|\p{Cs}/u.test(character)
      return (
        characters.length >= 1 &&
        characters.length <= 255 &&
        !characters.some(isControl) &&
        text.trim() === text &&
        text !== '.' &&
        text !== '..'
      )
    }
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 260 }),
      fc.constantFrom('.', '..', ' ', '\ud800'),
    )
    fc.assert(fc.property(texts, (text) => isCustomerName(text) === says(text)))
  })
})

describe('whose a name is', () => {
  /** Owners one after the other, each until the next begins. */
  const histories = fc
    .array(fc.record({ customer: fc.constantFrom('a', 'b', 'c').map(key), ms: fc.integer({ min: 1, max: 50 }) }), {
      minLength: 1,
      maxLength: 6,
    })
    .chain((owners) =>
      fc.boolean().map((isOpen): readonly NameAssignment[] => {
        let fromMs = 0
        return owners.map(({ customer, ms }, index) => {
          const untilMs = isOpen && index === owners.length - 1 ? null : at(fromMs + ms)
          const assignment = { customer, fromMs: at(fromMs), untilMs }
          fromMs += ms
          return assignment
        })
      }),
    )

  test('is a function of name and time alone: what comes later in its history changes nothing', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 0, max: 400 }), (history, ms) => {
        const owner = customerNamed('seat', history, at(ms))
        const last = history.at(-1)
        expect(owner).toBe(history.find(({ fromMs, untilMs }) => fromMs <= ms && (untilMs === null || ms < untilMs))?.customer ?? 'seat')
        if (last?.untilMs === null || last === undefined || ms >= last.untilMs) return
        const longer = [...history, { customer: key('z'), fromMs: last.untilMs, untilMs: null }]
        expect(customerNamed('seat', longer, at(ms))).toBe(owner)
      }),
    )
  })

  test('those who lost it lately may have the event already', () => {
    const history = [
      { customer: key('a'), fromMs: at(0), untilMs: at(10) },
      { customer: key('b'), fromMs: at(10), untilMs: at(20) },
      { customer: key('c'), fromMs: at(20), untilMs: null },
    ]
    expect(formerCustomers('seat', history, at(15), at(30))).toEqual(['b'])
    expect(formerCustomers('seat', history, at(0), at(30))).toEqual(['b', 'a'])
    expect(formerCustomers('seat', history, at(20), at(30))).toEqual([])
    expect(formerCustomers('seat', null, at(0), at(30))).toEqual([])
  })
})

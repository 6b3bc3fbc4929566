import fc from 'fast-check'
import { expect, test } from 'vitest'
import { brokenLink, type ChainLink, canonicalJson, contentHash, type Json } from './content-hash.ts'

test('the order of keys is not part of a record', () => {
  expect(canonicalJson({ b: 1, a: [null, { d: 'x', c: true }] })).toBe('{"a":[null,{"c":true,"d":"x"}],"b":1}')
  expect(canonicalJson({ a: [null, { c: true, d: 'x' }], b: 1 })).toBe('{"a":[null,{"c":true,"d":"x"}],"b":1}')
})

test('a float is never part of a record', () => {
  expect(() => canonicalJson({ amount: 0.1 })).toThrow('whole numbers')
})

function chainOf(documents: readonly Json[]): ChainLink[] {
  const chain: ChainLink[] = []
  for (const document of documents) {
    const previousHash = chain.at(-1)?.contentHash ?? null
    chain.push({ document, previousHash, contentHash: contentHash(document, previousHash) })
  }
  return chain
}

test('a document edited, dropped, added or moved breaks the chain where it stands', () => {
  const documents = fc.uniqueArray(fc.record({ number: fc.nat(), total: fc.string() }), { minLength: 3, selector: ({ number }) => number })
  fc.assert(
    fc.property(documents, fc.nat(), fc.constantFrom('edit', 'drop', 'add', 'swap'), (all, seed, what) => {
      const chain = chainOf(all)
      expect(brokenLink(chain)).toBe(null)
      const at = seed % (chain.length - 1)
      const [link, next] = [chain[at], chain[at + 1]]
      if (link === undefined || next === undefined) return
      const broken = [...chain]
      if (what === 'edit') broken[at] = { ...link, document: { ...(link.document as object), total: 'another' } as Json }
      if (what === 'drop') broken.splice(at, 1)
      if (what === 'add') broken.splice(at, 0, { ...link, document: { number: -1 } })
      if (what === 'swap') broken.splice(at, 2, next, link)
      expect(canonicalJson(link.document) === canonicalJson(broken[at]?.document ?? null) ? at : brokenLink(broken)).toBe(at)
    }),
  )
})

import { expect, test } from 'vitest'
import type { OwnQuery } from './own-routes.ts'
import { createPageNumbers, SKIPPED_MAX } from './page-numbers.ts'

/** A list of ours with so many items: cursors are offsets. `reads` holds what was asked of it. */
function listOf(count: number) {
  const reads: (OwnQuery & { readonly limit: number })[] = []
  return {
    reads,
    read: async (query: OwnQuery & { readonly limit: number }) => {
      reads.push(query)
      const from = Number(query.cursor ?? 0)
      const data = Array.from({ length: Math.max(0, Math.min(query.limit, count - from)) }, (_, at) => from + at)
      return { data, nextCursor: from + query.limit < count ? String(from + query.limit) : null, count }
    },
  }
}

test.each([1, 3, 10, 1_000])('pages of %i in any order hold every item once', async (pageSize) => {
  const { read } = listOf(25)
  const pages = createPageNumbers()
  const last = Math.ceil(25 / pageSize)
  for (const page of [last, 1, ...Array.from({ length: last }, (_, at) => at + 1)]) {
    const from = (page - 1) * pageSize
    const { items, count } = await pages.read('list', { page, pageSize }, read)
    expect({ items, count }).toEqual({ items: Array.from({ length: Math.min(pageSize, 25 - from) }, (_, at) => from + at), count: 25 })
  }
})

test('a page behind the end is empty and reads one record, whatever its number', async () => {
  const { read, reads } = listOf(25)
  expect(await createPageNumbers().read('list', { page: 10_000_000, pageSize: 100 }, read)).toEqual({ items: [], count: 25 })
  expect(reads).toEqual([{ limit: 1, count: true }])
})

test('who reads page after page skips nothing; who jumps too far is refused', async () => {
  const { read, reads } = listOf(100_000)
  const pages = createPageNumbers()
  for (let page = 1; page <= 300; page++) await pages.read('list', { page, pageSize: 100 }, read)
  expect(reads).toHaveLength(300)
  expect((await pages.read('list', { page: 301, pageSize: 100 }, read)).items[0]).toBe(30_000)
  await expect(pages.read('list', { page: SKIPPED_MAX / 100 + 500, pageSize: 100 }, read)).rejects.toMatchObject({
    refusal: { code: 'invalid_request' },
  })
})

import { expect } from 'vitest'
import type { Page, PageRequest } from '../../../adapters/database/page.ts'

export async function everyPage<Value extends { readonly key: string } | { readonly id: string }>(
  read: (page: PageRequest) => Promise<Page<Value>>,
  limit: number,
): Promise<string[]> {
  const names: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page<Value> = await read(cursor === '' ? { limit } : { limit, cursor })
    expect(page.data.length).toBeLessThanOrEqual(limit)
    names.push(...page.data.map((value) => ('key' in value ? value.key : value.id)))
    cursor = page.nextCursor
  }
  return names
}

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { CRASH_MUTANTS } from './mutants.ts'

test.each(Object.entries(CRASH_MUTANTS))('mutant %s fits the source as it is now', async (_name, { file, source, replacement }) => {
  const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
  expect(text.split(source)).toHaveLength(2)
  expect(text.replace(source, () => replacement)).not.toBe(text)
})

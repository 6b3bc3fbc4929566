import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRows } from './read-rows.ts'

test.each([
  { name: 'rows.ndjson', text: '\u{feff}{"id":"a"}\n{"id":"b"}\n' },
  { name: 'rows', text: '\u{feff}{"id":"a"}\n{"id":"b"}\n' },
  { name: 'rows.csv', text: '\u{feff}id\na\nb\n' },
])('$name: a byte order mark is passed over', async ({ name, text }) => {
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-rows-'))
  await writeFile(join(directory, name), text)
  const rows = []
  for await (const row of readRows(join(directory, name), () => undefined)) rows.push(row)
  expect(rows.map(({ values, problem }) => ({ id: values.id, problem }))).toEqual([
    { id: 'a', problem: null },
    { id: 'b', problem: null },
  ])
  await rm(directory, { recursive: true })
})

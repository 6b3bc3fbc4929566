import { readFile, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { CommandFailed } from '../../process/command-failed.ts'
import { type BillClient, createBillClient, type ServerFlags } from '../bill/bill-client.ts'
import { withServer } from '../bill/server-options.ts'
import { bodyOf, type CatalogDocument, COLLECTIONS, type Collection, catalogDifferences, sortedJson } from './catalog-document.ts'

/** What is sold, as a file that can live in a repository: meters, features, products, tax rates, coupons, plans. */
export function catalogCommand(): Command {
  const catalog = new Command('catalog').description('the catalog as a file: meters, features, products, tax rates, coupons, plans')
  withServer(
    catalog.command('export').description('write what is in use, in one order, so that two exports of one catalog are equal'),
    'read',
  )
    .option('--out <file>', 'write to this file; to the output when absent')
    .action(exportCatalog)
  withServer(
    catalog.command('import <file>').description('put everything in the file; may be run again, and deletes nothing'),
    'admin',
  ).action(importCatalog)
  withServer(
    catalog.command('diff <file>').description('print what an import would change; exit 1 when there is something'),
    'read',
  ).action(diffCatalog)
  return catalog
}

async function exportCatalog({ out, ...flags }: ServerFlags & { readonly out?: string }): Promise<void> {
  const text = `${sortedJson(bodiesOf(await readServer(createBillClient(flags))), 2)}\n`
  if (out === undefined) process.stdout.write(text)
  else await writeFile(out, text)
}

async function importCatalog(file: string, flags: ServerFlags): Promise<void> {
  const client = createBillClient(flags)
  const document = await readDocument(file)
  const before = await readServer(client)
  const counts = { new: 0, changed: 0, same: 0 }
  for (const [collection] of collections()) {
    for (const [key, body] of Object.entries(document[collection] ?? {})) {
      const put = await client.ask<Answer>('PUT', `/v1/${collection}/${encodeURIComponent(key)}`, body)
      const had = before[collection]?.[key]
      const kind = had === undefined ? 'new' : had.updatedAt === put.updatedAt ? 'same' : 'changed'
      counts[kind]++
      if (kind !== 'same') console.log(`${kind.padEnd(8)} ${collection}/${key}`)
    }
  }
  console.log(`${counts.new} new, ${counts.changed} changed, ${counts.same} the same`)
}

async function diffCatalog(file: string, flags: ServerFlags): Promise<void> {
  const document = await readDocument(file)
  const differences = catalogDifferences(bodiesOf(await readServer(createBillClient(flags))), document)
  for (const { collection, key, kind, fields } of differences) {
    console.log(`${kind.padEnd(18)} ${collection}/${key}${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`)
  }
  // What only the server has is no change: an import leaves it.
  if (differences.some(({ kind }) => kind !== 'only on the server')) process.exitCode = 1
}

type Answer = { readonly key: string; readonly updatedAt: string }
type Answers = Readonly<Record<string, Readonly<Record<string, Answer>>>>

async function readServer(client: BillClient): Promise<Answers> {
  const answers: Record<string, Record<string, Answer>> = {}
  for (const [collection] of collections()) {
    const ofCollection: Record<string, Answer> = {}
    let cursor: string | null = ''
    while (cursor !== null) {
      const next: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page: { data: readonly Answer[]; nextCursor: string | null } = await client.ask('GET', `/v1/${collection}?limit=1000${next}`)
      for (const answer of page.data) ofCollection[answer.key] = answer
      cursor = page.nextCursor
    }
    answers[collection] = ofCollection
  }
  return answers
}

function bodiesOf(answers: Answers): CatalogDocument {
  return Object.fromEntries(
    collections().map(([collection]) => {
      const bodies = Object.entries(answers[collection] ?? {}).map(([key, answer]) => [key, bodyOf(collection, answer)] as const)
      return [collection, Object.fromEntries(bodies)]
    }),
  )
}

async function readDocument(file: string): Promise<CatalogDocument> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new CommandFailed(`${file} cannot be read: ${error.message}`, 2)
  })
  const document = parsed(file, text)
  const unknown = Object.keys(document).find((name) => !Object.hasOwn(COLLECTIONS, name))
  if (unknown !== undefined) throw new CommandFailed(`${file} has '${unknown}'; it holds ${Object.keys(COLLECTIONS).join(', ')}.`, 2)
  return document
}

function parsed(file: string, text: string): CatalogDocument {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as CatalogDocument
    throw new Error('it is no object')
  } catch (error) {
    throw new CommandFailed(`${file} is no catalog: ${error instanceof Error ? error.message : error}`, 2)
  }
}

function collections(): readonly (readonly [Collection, object])[] {
  return Object.entries(COLLECTIONS) as [Collection, object][]
}

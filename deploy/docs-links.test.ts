import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const files = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean)
const pages = files.filter((file) => file.endsWith('.md'))

/** Files and their folders, from the root of the repository. */
const paths = new Set(files.flatMap((file) => file.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))))
const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0] ?? ''))

/** Paths in backticks that are made by a run or by a reader. */
const NOT_IN_THE_REPOSITORY = new Set(['bench/results/', 'docs/decisions/NNNN-title.md'])
/** Decisions tell of the tree as it was when they were made; their links must hold nevertheless. */
const TELLS_THE_PAST = /^(docs\/decisions\/|CHANGELOG\.md)/

/** The page without blocks of code, in which nothing is a link or a path of ours. */
function proseOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
}

function headingsOf(page: string): Set<string> {
  const headings = proseOf(page).match(/^#+ .*$/gm) ?? []
  return new Set(
    headings.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function isBrokenLink(page: string, link: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? page : normalize(join(dirname(page), path)).replace(/\/$/, '')
  if (target !== '.' && !paths.has(target)) return true
  return heading !== undefined && target.endsWith('.md') && !headingsOf(target).has(heading)
}

/** A path is from the root, from the page's folder, or the end of one below that folder. */
function isBrokenPath(page: string, path: string): boolean {
  if (NOT_IN_THE_REPOSITORY.has(path)) return false
  const wanted = normalize(path).replace(/\/$/, '')
  const folder = dirname(page) === '.' ? '' : `${dirname(page)}/`
  if (paths.has(wanted) || paths.has(normalize(join(folder, path)).replace(/\/$/, ''))) return false
  return !(folder !== '' && files.some((file) => file.startsWith(folder) && `/${file}`.endsWith(`/${wanted}`)))
}

const isPath = (text: string): boolean =>
  /^[\w.-]+\.(ts|tsx|md|sql|lua|avsc|yaml|cjs)$/.test(text.split('/').at(-1) ?? '') || folders.has(text.split('/')[0] ?? '')

test.each(pages)('%s: links lead somewhere', (page) => {
  const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link).filter((link) => !/^[a-z]+:/.test(link))
  expect(links.filter((link) => isBrokenLink(page, link))).toEqual([])
})

test.each(pages.filter((page) => !TELLS_THE_PAST.test(page)))('%s: paths exist', (page) => {
  const quoted = [...proseOf(page).matchAll(/`([\w.@-]+(?:\/[\w.@-]+)*\/?)`/g)].map(([, path = '']) => path)
  expect(quoted.filter((path) => (path.includes('/') || path.includes('.')) && isPath(path) && isBrokenPath(page, path))).toEqual([])
})

test('every decision has a number of its own', () => {
  const numbers = files.flatMap((file) => /^docs\/decisions\/(\d{4})-/.exec(file)?.[1] ?? [])
  expect(numbers.filter((number, at) => numbers.indexOf(number) !== at)).toEqual([])
})

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { completeLockfile, entriesWithoutHash, type Lockfile, missingPlatforms, withHashes } from './complete-lockfile.ts'

const lockfile = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lockfile

test('the lock file names the packages of all platforms, so that npm ci accepts it', () => {
  const missing = missingPlatforms(lockfile).map(({ name }) => name)
  expect(missing, 'run `node deploy/dev/complete-lockfile.ts`').toEqual([])
})

test('what is missing is added as npm would write it', () => {
  const lockfile: Lockfile = {
    packages: {
      '': {},
      'node_modules/tool': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: { '@tool/linux-x64-musl': '1.0.0', '@tool/darwin-arm64': '1.0.0' },
      },
      'node_modules/@tool/darwin-arm64': { version: '1.0.0' },
    },
  }
  expect(completeLockfile(lockfile).packages['node_modules/@tool/linux-x64-musl']).toEqual({
    version: '1.0.0',
    cpu: ['x64'],
    dev: true,
    libc: ['musl'],
    optional: true,
    os: ['linux'],
  })
})

/** The registry that the lock file was completed from does not have these three at all. */
const WITHOUT_HASH = ['@chdb/lib-darwin-arm64', '@chdb/lib-darwin-x64', '@chdb/lib-linux-arm64-gnu']

test('every package of the lock file has a hash, but for those that cannot be asked for', () => {
  const names = entriesWithoutHash(lockfile).map(({ name }) => name)
  expect(names, 'run `node deploy/dev/complete-lockfile.ts`').toEqual(WITHOUT_HASH)
})

test('a hash is added where there is none, and nothing else changes', () => {
  const packages = { '': {}, 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0', integrity: 'sha512-b' } }
  const hashed = withHashes({ packages }, (name, version) => `sha512-${name}-${version}`)
  expect(hashed.packages).toEqual({ ...packages, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a-1.0.0' } })
})

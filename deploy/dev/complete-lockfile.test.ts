import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { completeLockfile, type Lockfile, missingPlatforms } from './complete-lockfile.ts'

test('the lock file names the packages of all platforms, so that npm ci accepts it', () => {
  const lockfile = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lockfile
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

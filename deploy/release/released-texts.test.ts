import { expect, test } from 'vitest'
import { isInImage, releasedChangelog, versionAfter, withVersion } from './released-texts.ts'

test.each([
  ['0.1.9', 'patch', '0.1.10'],
  ['0.9.3', 'minor', '0.10.0'],
  ['0.9.3', 'major', '1.0.0'],
  ['0.1.0', '2.0.0', '2.0.0'],
  ['0.1.0', '02.0.0', null],
  ['0.1.0', 'latest', null],
])('after %s, %s is %s', (current, wanted, version) => {
  expect(versionAfter(current, wanted)).toBe(version)
})

test('what was unreleased stands under the version, and nothing is unreleased any more', () => {
  const before = '# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0 (2026-01-01)\n\n- Old.\n'
  const after = releasedChangelog(before, '0.2.0', '2026-12-01')
  expect(after).toBe('# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n- New.\n\n## 0.1.0 (2026-01-01)\n\n- Old.\n')
  expect(releasedChangelog(after ?? '', '0.3.0', '2026-12-02')).toBeNull()
})

test('only the version of the project changes, not that of a package with the same one', () => {
  const lock = (own: string) =>
    `{\n  "name": "a",\n  "version": "${own}",\n  "packages": {\n    "": {\n      "name": "a",\n      "version": "${own}"\n    },\n    "b": {\n      "version": "0.1.0"\n    }\n  }\n}\n`
  expect(withVersion(lock('0.1.0'), '0.1.0', '0.2.0')).toBe(lock('0.2.0'))
})

test.each([
  ['runtime/tollgate.ts', true],
  ['runtime/x.test.ts', false],
  ['runtimes/x.ts', false],
  ['package.json', true],
  ['sdk/package.json', false],
])('%s is in the image: %s', (path, isIn) => {
  expect(isInImage(path, '*\n!package.json\n!runtime\n**/*.test.ts\n')).toBe(isIn)
})

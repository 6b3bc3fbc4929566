import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readConfig } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'tollgate-secrets-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}

test('a secret is read from the file that is named, without the line break at its end', () => {
  const url = 'postgres://me:hunter2@h/db'
  const { config, problems } = readConfig({
    TOLLGATE_ADMIN_KEY_FILE: file('key', 'kj3h5-q98wd-kjh45-zzt7\n'),
    DATABASE_URL_FILE: file('url', url),
  })
  expect(problems).toEqual([])
  expect(config).toMatchObject({ adminKey: 'kj3h5-q98wd-kjh45-zzt7', databaseUrl: url })
})

test.each([
  { wrong: 'no file', env: { REDIS_URL_FILE: '/nowhere/at/all' }, says: /^REDIS_URL_FILE names a file that cannot be read/ },
  { wrong: 'an empty file', env: { REDIS_URL_FILE: file('empty', '\n') }, says: /^REDIS_URL_FILE names an empty file/ },
  {
    ...{ wrong: 'both', says: /^REDIS_URL and REDIS_URL_FILE are both set/ },
    env: { REDIS_URL: 'redis://h:1', REDIS_URL_FILE: file('redis', 'redis://h:1') },
  },
  { wrong: 'a setting that is no secret', env: { TOLLGATE_PORT_FILE: file('port', '1') }, says: /^TOLLGATE_PORT_FILE is not a setting/ },
  { wrong: 'a wrong value', env: { REDIS_URL_FILE: file('wrong', 'http://h') }, says: /^REDIS_URL must be a URL/ },
])('$wrong is a problem of the configuration', ({ env, says }) => {
  expect(readConfig(env).problems[0]).toMatch(says)
})

test.each(['TOLLGATE_TLS_CERT', 'TOLLGATE_TLS_KEY'])('%s alone is a problem', (name) => {
  expect(readConfig({ [name]: '/some/file.pem' }).problems[0]).toMatch(/TOLLGATE_TLS_CERT and TOLLGATE_TLS_KEY/)
})

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Config, readConfig } from './config.ts'
import { configTableMarkdown, configTableText } from './config-table.ts'

describe('readConfig', () => {
  test('without anything set, the defaults', () => {
    expect(readConfig({}).config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      partitions: 4,
      adminKey: null,
      roles: ['ingest', 'aggregator', 'api', 'billing', 'alerts', 'commerce'],
    })
  })

  test.each([
    { name: 'TOLLGATE_PORT', given: '9000', key: 'port', value: 9000 },
    { name: 'TOLLGATE_ROLES', given: 'api, ingest', key: 'roles', value: ['ingest', 'api'] },
    { name: 'TOLLGATE_LOG_LEVEL', given: 'debug', key: 'logLevel', value: 'debug' },
    { name: 'CLICKHOUSE_URL', given: 'http://h:8123/db', key: 'clickhouseUrl', value: 'http://h:8123/db' },
    { name: 'TOLLGATE_HOST', given: '', key: 'host', value: '127.0.0.1' },
  ])('$name=$given', ({ name, given, key, value }) => {
    expect(readConfig({ [name]: given }).config?.[key as keyof Config]).toEqual(value)
  })

  test.each([
    { name: 'TOLLGATE_PORT', given: '70000', says: 'from 0 to 65535, was "70000"' },
    { name: 'TOLLGATE_PORT', given: '8e3', says: 'whole number' },
    { name: 'TOLLGATE_PARTITIONS', given: '0', says: 'from 1 to 1024' },
    { name: 'TOLLGATE_ROLES', given: 'ingest,cook', says: 'some of ingest, aggregator, api, billing, alerts, commerce' },
    { name: 'TOLLGATE_LOG_LEVEL', given: 'loud', says: 'one of fatal' },
    { name: 'DATABASE_URL', given: 'mysql://x', says: 'postgres://' },
    { name: 'KAFKA_SASL_MECHANISM', given: 'plain', says: 'needs KAFKA_SASL_USER and KAFKA_SASL_PASSWORD too' },
    { name: 'REDIS_KEY_PREFIX', given: 'a{b}', says: 'must have no braces' },
    { name: 'TOLLGATE_PROT', given: '1', says: 'not a setting' },
    { name: 'TOLLGATE_ADMIN_KEY', given: 'replace-me-with-at-least-16-characters', says: 'is a text for examples' },
    { name: 'TOLLGATE_ADMIN_KEY', given: 'CHANGE_ME_PLEASE_now', says: 'is a text for examples' },
    { name: 'TOLLGATE_ADMIN_KEY', given: 'abababababababababab', says: 'must have at least 8 different characters' },
    { name: 'TOLLGATE_ADMIN_KEY', given: 'with a blank 0123456789', says: 'no blanks' },
    { name: 'DATABASE_URL', given: 'postgres://tollgate:replace-me@h/db', says: 'has a password for examples' },
  ])('$name=$given is a problem', ({ name, given, says }) => {
    expect(readConfig({ [name]: given }).problems[0]).toMatch(new RegExp(`^${name} .*${says.replaceAll('.', '\\.')}`))
  })

  test('all problems are named at once, and secrets in none', () => {
    const { problems } = readConfig({ TOLLGATE_PORT: 'x', TOLLGATE_ADMIN_KEY: 'hunter2', REDIS_URL: 'http://:hunter2@h' })
    expect(problems).toHaveLength(3)
    expect(problems.join()).not.toContain('hunter2')
  })
})

test('shown values hide passwords', () => {
  const { config } = readConfig({ CLICKHOUSE_URL: 'http://me:hunter2@h/db', TOLLGATE_ADMIN_KEY: 'hunter2-is-a-password' })
  const shown = configTableText(config ?? undefined)
  expect(shown).toContain('http://me:***@h/db')
  expect(shown).not.toContain('hunter2')
})

test.each([
  { name: 'DATABASE_URL', url: 'postgres://h/db?user=me&password=hunter2&sslmode=require' },
  { name: 'DATABASE_URL', url: 'postgres://h/db?sslpassword=hunter2&sslkey=hunter2' },
  { name: 'DATABASE_URL', url: 'postgres://h/db?PassWord=hunter2&options=-c%20hunter2' },
  { name: 'CLICKHOUSE_URL', url: 'http://h/db?access_token=hunter2' },
  { name: 'REDIS_URL', url: 'redis://:hunter2@h:6379/0?auth=hunter2' },
])('a password in the query of $name is not shown: $url', ({ name, url }) => {
  const { config } = readConfig({ [name]: url })
  expect(config).not.toBeNull()
  expect(configTableText(config ?? undefined)).not.toContain('hunter2')
})

test("the README's table is printed from the settings", () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  expect(readme, 'run `npm run tollgate -- config --markdown` and paste').toContain(configTableMarkdown())
})

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { SETTINGS } from '../runtime/settings/config.ts'
import { ROLES } from '../runtime/settings/setting.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const settingNames: readonly string[] = Object.values(SETTINGS).map(({ name }) => name)

test('what the compose file and the manifests set are settings', () => {
  const compose = parse(read('compose.yaml'), { merge: true })
  expect(settingNames).toEqual(expect.arrayContaining(Object.keys(compose['x-tollgate'].environment)))
  for (const document of parseAllDocuments(read('kubernetes/settings.yaml'))) {
    const { data = {}, stringData = {} } = document.toJS()
    expect(settingNames).toEqual(expect.arrayContaining(Object.keys({ ...data, ...stringData })))
  }
})

/** What apps ask runs in one process with the bills. */
const SERVICES = [
  { name: 'ingest', roles: ['ingest'] },
  { name: 'aggregator', roles: ['aggregator'] },
  { name: 'api', roles: ['api', 'billing'] },
]

test('every role runs in one service of both, with a check of its health', () => {
  expect(SERVICES.flatMap(({ roles }) => roles).sort()).toEqual([...ROLES].sort())
  const { services } = parse(read('compose.yaml'), { merge: true })
  for (const { name, roles } of SERVICES) {
    const args = ['serve', '--roles', roles.join(',')]
    expect(services[name]).toMatchObject({ command: args, healthcheck: { test: expect.any(Array) } })
    const [deployment, budget] = parseAllDocuments(read(`kubernetes/${name}.yaml`)).map((document) => document.toJS())
    const [container] = deployment.spec.template.spec.containers
    expect(container).toMatchObject({ args, readinessProbe: { httpGet: { path: '/readyz' } } })
    expect(deployment.spec.template.metadata.labels).toEqual(deployment.spec.selector.matchLabels)
    expect(budget).toMatchObject({ kind: 'PodDisruptionBudget', spec: { selector: deployment.spec.selector } })
  }
})

test('the kustomization names every manifest', () => {
  const { resources } = parse(read('kubernetes/kustomization.yaml'))
  const manifests = readdirSync(new URL('kubernetes', import.meta.url)).filter((name) => name !== 'kustomization.yaml')
  expect(resources.toSorted()).toEqual(manifests.toSorted())
})

test('the image holds the folders that the program imports from', () => {
  const copied = [...read('Dockerfile').matchAll(/^COPY (\w+) \1$/gm)].map(([, folder]) => folder)
  expect(copied).toEqual([
    'base',
    'domain',
    'schemas',
    'adapters',
    'ingest',
    'aggregator',
    'usage',
    'entitlements',
    'rating',
    'billing',
    'api',
    'runtime',
  ])
  for (const folder of copied) expect(read('../.dockerignore')).toMatch(new RegExp(`^!${folder}$`, 'm'))
})

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

/** The api, the billing stage and the telling share one process. */
const SERVICES = [
  { name: 'ingest', roles: ['ingest'] },
  { name: 'aggregator', roles: ['aggregator'] },
  { name: 'api', roles: ['api', 'billing', 'alerts', 'commerce'] },
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

test('a pod has no token of the cluster, and a container no right that it does not need', () => {
  const { services } = parse(read('compose.yaml'), { merge: true })
  for (const name of [...SERVICES.map((service) => service.name), 'gateway']) {
    const hardened = { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], tmpfs: ['/tmp'] }
    expect({ name, ...services[name] }).toMatchObject({ name, ...hardened })
  }
  for (const { name } of SERVICES) {
    const { spec } = parseAllDocuments(read(`kubernetes/${name}.yaml`))[0]?.toJS().spec.template ?? {}
    expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false, securityContext: { runAsNonRoot: true } })
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  }
})

test("the operators' port is on no service, no route and no published port, and Prometheus alone may reach it", () => {
  const { TOLLGATE_OPS_PORT: opsPort } = parseAllDocuments(read('kubernetes/settings.yaml'))[0]?.toJS().data ?? {}
  for (const { name } of SERVICES) {
    const [deployment, , service] = parseAllDocuments(read(`kubernetes/${name}.yaml`)).map((document) => document.toJS())
    const { annotations } = deployment.spec.template.metadata
    expect(annotations['prometheus.io/port']).toBe(opsPort)
    expect(deployment.spec.template.spec.containers[0].ports).toContainEqual({ name: 'ops', containerPort: Number(opsPort) })
    expect(service?.spec.ports ?? []).not.toContainEqual(expect.objectContaining({ targetPort: 'ops' }))
  }
  const { spec: policy } = parse(read('kubernetes/network-policy.yaml'))
  expect(policy.podSelector).toEqual({ matchLabels: { 'app.kubernetes.io/name': 'tollgate' } })
  expect(policy.policyTypes).toEqual(['Ingress', 'Egress'])
  const openers = policy.ingress.filter(({ ports }: { ports: { port: string }[] }) => ports.some(({ port }) => port === 'ops'))
  expect(openers).toHaveLength(1)
  expect(openers[0].from).toEqual([{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }])
  const routed = JSON.stringify(parse(read('kubernetes/http-route.yaml')))
  expect(routed).not.toMatch(/metrics|readyz/)
  expect(read('gateway/nginx.conf')).toMatch(/location = \/metrics \{ return 404; \}\n\s+location = \/readyz \{ return 404; \}/)
  const { services } = parse(read('compose.yaml'), { merge: true })
  const published = Object.entries<{ ports?: string[] }>(services).flatMap(([name, { ports = [] }]) =>
    ports.map((port) => `${name} ${port}`),
  )
  expect(published).toEqual(['gateway 127.0.0.1:8080:8080'])
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

// The arrows of the design: runtime -> stages -> usage, entitlements, rating -> ports of adapters -> domain -> base. Stages meet
// on the log and in the stores and do not import each other; only runtime, tests and benches choose an implementation behind a
// port.
const STAGES = ['api', 'billing', 'alerts', 'commerce', 'custody', 'ingest', 'aggregator']
const SHARED = ['usage', 'entitlements', 'rating']
const PRODUCTION = ['base', 'domain', 'schemas', 'adapters', ...SHARED, ...STAGES, 'compat', 'runtime', 'sdk', 'console', 'look']
const PORTS = '^adapters/(event-log/event-log|usage-store/usage-store|counters/counters|files/files|payments/payments)\\.ts$'
/** A stage sees the types of the database's stores and their vocabulary: a store's type stands beside its SQL. */
const STORES = '^adapters/database/([^/]+|(?!engine/)[^/]+/[^/]+-(store|reader))\\.ts$'

/** Tests may use real implementations. */
const TEST = '\\.test\\.ts$'
const folders = (names) => `^(${names.join('|')})/`
const allBut = (...names) => folders([...PRODUCTION.filter((folder) => !names.includes(folder)), 'test', 'bench', 'deploy'])

module.exports = {
  forbidden: [
    {
      name: 'base-knows-no-business',
      comment: 'What could be a package of its own.',
      severity: 'error',
      from: { path: '^base/', pathNot: TEST },
      to: { path: allBut('base') },
    },
    {
      name: 'domain-is-pure',
      comment: 'The words of the design: nothing outside domain/ and base/.',
      severity: 'error',
      from: { path: '^domain/', pathNot: TEST },
      to: { pathNot: '^(domain/|base/)' },
    },
    {
      name: 'domain-rooms',
      comment: 'time and metering lean on the ground alone; what is said of money and limits leans on them.',
      severity: 'error',
      from: { path: '^domain/(time|metering)/', pathNot: TEST },
      to: { path: '^domain/(catalog|entitlements|allowance|reservations|billing)/' },
    },
    {
      name: 'domain-ground',
      comment: 'decimal, rational, money, identity, refusal, principal: all stand on them.',
      severity: 'error',
      from: { path: '^domain/[^/]+\\.ts$', pathNot: TEST },
      to: { path: '^domain/[^/]+/' },
    },
    {
      name: 'schemas-import-domain-only',
      comment: 'Contracts know the words and their codec, not who uses them.',
      severity: 'error',
      from: { path: '^schemas/', pathNot: TEST },
      to: { path: allBut('base', 'domain', 'schemas') },
    },
    {
      name: 'adapters-import-domain-and-schemas',
      severity: 'error',
      from: { path: '^adapters/', pathNot: TEST },
      to: { path: allBut('base', 'domain', 'schemas', 'adapters') },
    },
    {
      name: 'ports-import-domain-only',
      severity: 'error',
      from: { path: PORTS },
      to: { pathNot: '^(domain|base)/' },
    },
    {
      name: 'adapters-keep-to-their-seam',
      comment: 'Any mix of implementations works, so no seam may lean on another.',
      severity: 'error',
      from: { path: '^adapters/([^/]+)/', pathNot: TEST },
      to: { path: '^adapters/', pathNot: '^adapters/($1|lmdb)/' },
    },
    {
      name: 'implementations-do-not-meet',
      comment: 'Embedded and server are two ways to the same port; what both need stands beside the port.',
      severity: 'error',
      from: { path: '^adapters/(event-log|counters|files|payments)/([^/]+)/', pathNot: TEST },
      to: { path: '^adapters/(event-log|counters|files|payments)/[^/]+/', pathNot: '^adapters/$1/$2/' },
    },
    {
      name: 'stages-see-ports-only',
      comment: 'Only runtime/ picks an implementation.',
      severity: 'error',
      from: { path: folders([...SHARED, ...STAGES, 'compat']), pathNot: TEST },
      to: { path: '^adapters/', pathNot: [PORTS, STORES] },
    },
    {
      name: 'stages-see-types-of-stores-only',
      comment: 'A store is made in runtime/, on a session that a stage does not see: `import type`.',
      severity: 'error',
      from: { path: folders([...SHARED, ...STAGES, 'compat']), pathNot: TEST },
      to: { path: STORES, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'stores-know-no-engine',
      comment: 'A store is a function of the session, whatever runs the SQL.',
      severity: 'error',
      from: { path: '^adapters/database/(?!engine/)', pathNot: TEST },
      to: { path: '^adapters/database/engine/' },
    },
    {
      name: 'engine-knows-no-store',
      comment: 'So that a new store changes nothing of it.',
      severity: 'error',
      from: { path: '^adapters/database/engine/', pathNot: TEST },
      to: { path: '^adapters/database/(?!engine/)[^/]+/' },
    },
    {
      name: 'shared-know-no-stage',
      comment: 'usage, entitlements and rating are asked by every stage.',
      severity: 'error',
      from: { path: folders(SHARED), pathNot: TEST },
      to: { path: folders([...STAGES, 'compat']) },
    },
    ...STAGES.map((stage) => ({
      name: `${stage}-imports-no-other-stage`,
      comment: 'commerce alone asks billing: a checkout shows and posts the very document that billing decides.',
      severity: 'error',
      from: { path: `^${stage}/`, pathNot: TEST },
      to: { path: folders([...STAGES.filter((other) => other !== stage && !(stage === 'commerce' && other === 'billing')), 'compat']) },
    })),
    {
      name: 'stages-know-no-runtime',
      severity: 'error',
      from: { path: folders([...SHARED, ...STAGES, 'compat']), pathNot: TEST },
      to: { path: '^(runtime|sdk|console|bench|deploy|test)/' },
    },
    {
      name: 'aggregator-rooms',
      comment: 'The fold is pure: it knows nobody who reads or writes.',
      severity: 'error',
      from: { path: '^aggregator/fold/', pathNot: TEST },
      to: { path: '^aggregator/(?!fold/)' },
    },
    {
      name: 'rating-is-pure',
      comment: 'No I/O and no clock: domain only, no package, no node module.',
      severity: 'error',
      from: { path: '^rating/', pathNot: TEST },
      to: { pathNot: '^(rating|domain|base)/' },
    },
    {
      name: 'kafka-client-in-one-room',
      comment: 'kafka/wire/ alone touches the client library.',
      severity: 'error',
      from: { path: '^(?!adapters/event-log/kafka/wire/)', pathNot: ['^(test|bench)/', TEST] },
      to: { path: 'node_modules/(kafkajs|@platformatic/kafka)/' },
    },
    {
      name: 'time-is-handed-in',
      comment:
        'Waiting too: a clock (base/clock.ts) comes from the runtime, and a test moves its own. The globals are refused by the linter.',
      severity: 'error',
      from: { path: folders(PRODUCTION.filter((folder) => !['runtime', 'sdk', 'console'].includes(folder))), pathNot: TEST },
      to: { path: '^(node:)?timers' },
    },
    {
      name: 'sdk-imports-nothing',
      comment: 'It runs where there is no Node and no node_modules: browsers, Deno, Bun.',
      severity: 'error',
      from: { path: '^sdk/', pathNot: TEST },
      to: { pathNot: '^sdk/' },
    },
    {
      name: 'look-imports-nothing-of-ours',
      comment: 'The console and the pages made on the server share it.',
      severity: 'error',
      from: { path: '^look/', pathNot: TEST },
      to: { pathNot: '^look/' },
    },
    {
      name: 'console-is-a-client',
      comment: 'It knows the HTTP contract, by types generated from it, and the look; nothing of the server.',
      severity: 'error',
      from: { path: '^console/src/', pathNot: TEST },
      to: { path: '^[^/]+/', pathNot: ['^(console/src|look|node_modules|console/node_modules)/'] },
    },
    {
      name: 'nobody-knows-the-console',
      severity: 'error',
      from: { path: '^(?!console/)', pathNot: [TEST, '^test/'] },
      to: { path: '^console/' },
    },
    {
      name: 'nobody-imports-tests',
      severity: 'error',
      from: { path: folders(PRODUCTION), pathNot: TEST },
      to: { path: ['^test/', TEST] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^node:' } },
    {
      name: 'no-undeclared-package',
      comment: "The manifest in sdk/ is what apps install; the SDK's tests lean on the packages of the project.",
      severity: 'error',
      from: { pathNot: ['^(test|bench)/', `^sdk/.*${TEST}`] },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    // TypeScript 7 has no parsing API, so swc parses; it sees type-only imports too.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(data|console/dist)/|schema\\.d\\.ts$' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.cjs', '.mjs', '.json'],
    },
  },
}

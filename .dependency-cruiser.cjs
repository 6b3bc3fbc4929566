// The arrows of the design: runtime -> stages -> ports of adapters -> domain. A stage meets another on the log and in the
// stores, not by importing it; only runtime, tests and benches pick an implementation behind a port.
const STAGES = ['ingest', 'aggregator', 'rating', 'api']
const PORTS = '^adapters/(event-log/event-log|usage-store/usage-store|counters/counters|catalog/catalog)\\.ts$'

/** Tests may use real implementations. */
const TEST = '\\.test\\.ts$'

module.exports = {
  forbidden: [
    {
      name: 'domain-imports-nothing',
      comment: 'The words of the design are pure: nothing outside domain/ but the calendar tables of luxon.',
      severity: 'error',
      from: { path: '^domain/', pathNot: TEST },
      to: { pathNot: '^(domain/|node_modules/luxon/)' },
    },
    {
      name: 'schemas-import-domain-only',
      comment: 'Contracts know the words and their codec, not who uses them.',
      severity: 'error',
      from: { path: '^schemas/', pathNot: TEST },
      to: { path: `^(${STAGES.join('|')}|adapters|runtime|sdk|console|test|bench|deploy)/` },
    },
    {
      name: 'adapters-import-domain-and-schemas',
      severity: 'error',
      from: { path: '^adapters/', pathNot: TEST },
      to: { path: `^(${STAGES.join('|')}|runtime|sdk|console|test|bench|deploy)/` },
    },
    {
      name: 'ports-import-domain-only',
      severity: 'error',
      from: { path: PORTS },
      to: { pathNot: '^domain/' },
    },
    {
      name: 'adapters-keep-to-their-seam',
      comment: 'Any mix of implementations works, so no seam may lean on another.',
      severity: 'error',
      from: { path: '^adapters/([^/]+)/', pathNot: TEST },
      to: { path: '^adapters/', pathNot: '^adapters/($1|lmdb)/' },
    },
    {
      name: 'stages-see-ports-only',
      comment: 'Only runtime/ picks an implementation.',
      severity: 'error',
      from: { path: `^(${STAGES.join('|')})/`, pathNot: TEST },
      to: { path: '^adapters/', pathNot: PORTS },
    },
    ...STAGES.map((stage) => ({
      name: `${stage}-imports-no-other-stage`,
      severity: 'error',
      from: { path: `^${stage}/`, pathNot: TEST },
      to: { path: `^(${STAGES.filter((other) => other !== stage && !(stage === 'api' && other === 'rating')).join('|')})/` },
    })),
    {
      name: 'stages-know-no-runtime',
      severity: 'error',
      from: { path: `^(${STAGES.join('|')})/`, pathNot: TEST },
      to: { path: '^(runtime|sdk|console|bench|deploy|test)/' },
    },
    {
      name: 'rating-is-pure',
      comment: 'No I/O and no clock: domain only, no package, no node module.',
      severity: 'error',
      from: { path: '^rating/', pathNot: [TEST, 'routes\\.ts$'] },
      to: { pathNot: '^(rating|domain)/' },
    },
    {
      name: 'sdk-imports-nothing',
      comment: 'It runs where there is no Node and no node_modules: browsers, Deno, Bun.',
      severity: 'error',
      from: { path: '^sdk/', pathNot: TEST },
      to: { pathNot: '^sdk/' },
    },
    {
      name: 'nobody-imports-tests',
      severity: 'error',
      from: { path: '^(domain|schemas|adapters|ingest|aggregator|rating|api|runtime|sdk|console)/', pathNot: TEST },
      to: { path: ['^test/', TEST] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^node:' } },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    // TypeScript 7 has no API to parse with, so swc does; it sees type-only imports too.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^data/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'],
    },
  },
}

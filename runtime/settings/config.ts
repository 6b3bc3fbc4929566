import { INGEST_BOUNDS } from '../../ingest/ingest-bounds.ts'
import { HTTP_BOUNDS } from '../http/http-bounds.ts'
import { withSecretFiles } from './secret-files.ts'
import {
  addresses,
  oneOf,
  optionalText,
  optionalWholeNumber,
  ROLES,
  roles,
  type Setting,
  secret,
  text,
  url,
  wholeNumber,
} from './setting.ts'

/**
 * Every setting of the process, once: environment variable, parser, default, one line of meaning. The README's table,
 * `--help` and `tollgate config` are printed from it.
 */
export const SETTINGS = {
  host: text('TOLLGATE_HOST', '127.0.0.1', 'Address to listen on; `0.0.0.0` for all'),
  port: wholeNumber('TOLLGATE_PORT', 8080, { min: 0, max: 65_535 }, 'Port to listen on; 0 takes a free one'),
  opsPort: optionalWholeNumber(
    'TOLLGATE_OPS_PORT',
    { min: 1, max: 65_535 },
    'Port of the operators: `/metrics`, `/readyz` with all it knows, `/docs`, without a key; never to be published. Elsewhere these need an admin key',
  ),
  docsReaders: oneOf('TOLLGATE_DOCS', ['everybody', 'operators'], 'everybody', 'Who may read `/docs` and `/openapi.json` without a key'),
  dataDir: text('TOLLGATE_DATA_DIR', './data', 'Where the embedded stores live; one process at a time'),
  adminKey: secret('TOLLGATE_ADMIN_KEY', 'First admin key of tenant `default`; without it the first start makes one and prints it', 16),
  partitions: wholeNumber('TOLLGATE_PARTITIONS', 4, { min: 1, max: 1024 }, 'Partitions of the event log; fixed when it is made'),
  chunkRecords: wholeNumber(
    'TOLLGATE_CHUNK_RECORDS',
    1_024,
    { min: 1, max: 65_536 },
    'Log records of a partition that share their rows of usage; fixed when the usage store is made',
  ),
  roles: roles('TOLLGATE_ROLES', ROLES, 'What this process does'),
  secret: secret(
    'TOLLGATE_SECRET',
    'What license keys and links are sealed and signed under, one for all processes, never in a backup of the database; by default made in the data directory',
    32,
  ),
  publicUrl: url('TOLLGATE_PUBLIC_URL', ['http', 'https'], 'Where the server is reached from outside; by default where a request came to'),
  payments: oneOf('TOLLGATE_PAYMENTS', ['manual', 'test'], 'manual', 'Who collects money'),
  paymentsTest: oneOf(
    'TOLLGATE_PAYMENTS_TEST',
    ['no', 'yes'],
    'no',
    'Whether payments that move no money are wanted where others than this machine can reach the server',
  ),
  downloadBytesMax: wholeNumber(
    'TOLLGATE_DOWNLOAD_BYTES_MAX',
    5_368_709_120,
    { min: 1, max: 1_099_511_627_776 },
    'Largest file of a download',
  ),
  logLevel: oneOf('TOLLGATE_LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info', 'Least level of log lines'),
  flushIntervalMs: wholeNumber(
    'TOLLGATE_FLUSH_INTERVAL_MS',
    1_000,
    { min: 10, max: 60_000 },
    'Longest wait before events are written to the usage store',
  ),
  logRetentionDays: wholeNumber(
    'TOLLGATE_LOG_RETENTION_DAYS',
    7,
    { min: 1, max: 3_650 },
    'Days a record stays in the embedded event log once the usage store has its events, where they stay',
  ),
  auditRetentionDays: wholeNumber('TOLLGATE_AUDIT_RETENTION_DAYS', 400, { min: 1, max: 36_500 }, 'Days that changes stay in the audit log'),
  wrongKeysMax: wholeNumber(
    'TOLLGATE_WRONG_KEYS_MAX',
    HTTP_BOUNDS.wrongKeys.most,
    { min: 1, max: 1_000_000 },
    'Most requests with a wrong key that one address may send in a minute; above it only keys that were used before are let in',
  ),
  tlsCert: optionalText(
    'TOLLGATE_TLS_CERT',
    'File of the certificate (PEM, with those up to its root): the port then speaks HTTPS; read again each minute',
  ),
  tlsKey: optionalText('TOLLGATE_TLS_KEY', 'File of its private key (PEM)'),
  trustedProxies: addresses(
    'TOLLGATE_TRUSTED_PROXIES',
    'Addresses of proxies, or their networks (`10.0.0.0/8,127.0.0.1`), whose `X-Forwarded-For` says where a request comes from',
  ),
  webhookNetworks: addresses(
    'TOLLGATE_WEBHOOK_NETWORKS',
    'Private addresses or networks (`10.1.0.0/16`) that webhooks may be sent to; by default public addresses alone',
  ),
  bodyBytesMax: wholeNumber(
    'TOLLGATE_BODY_BYTES_MAX',
    HTTP_BOUNDS.body.most,
    { min: 1_024, max: 8_388_608 },
    'Largest body, but for events',
  ),
  connectionsMax: wholeNumber(
    'TOLLGATE_CONNECTIONS_MAX',
    HTTP_BOUNDS.connections.most,
    { min: 16, max: 1_000_000 },
    'Most connections at once; one address may have half of them',
  ),
  eventPackedBytesMax: wholeNumber(
    'TOLLGATE_EVENT_PACKED_BYTES_MAX',
    INGEST_BOUNDS.packedBody.most,
    { min: 1_024, max: 1_073_741_824 },
    'Largest compressed body of events',
  ),
  eventUnpackedBytesMax: wholeNumber(
    'TOLLGATE_EVENT_UNPACKED_BYTES_MAX',
    INGEST_BOUNDS.body.most,
    { min: 1_024, max: 1_073_741_824 },
    'Largest body of events, once unpacked',
  ),
  requestEventsMax: wholeNumber(
    'TOLLGATE_REQUEST_EVENTS_MAX',
    INGEST_BOUNDS.events.most,
    { min: 1, max: 1_000_000 },
    'Most events in one request',
  ),
  pendingBytesMax: wholeNumber(
    'TOLLGATE_PENDING_BYTES_MAX',
    INGEST_BOUNDS.bytes.most,
    { min: 16_777_216, max: 8_589_934_592 },
    'Most bytes of events received and not yet durable; one tenant may hold half of them, a key a third, a connection a quarter',
  ),
  windowBytesMax: wholeNumber(
    'TOLLGATE_WINDOW_BYTES_MAX',
    67_108_864,
    { min: 1_048_576, max: 68_719_476_736 },
    'Memory of usage windows under way, all partitions together; above it stored ones are let go of and read again where they change',
  ),
  stalledAfterMs: wholeNumber(
    'TOLLGATE_STALLED_AFTER_MS',
    10_000,
    { min: 1_000, max: 3_600_000 },
    'An aggregator that has records to read and moved none for this long is stalled: `/readyz` says 503',
  ),
  stuckAfterMs: wholeNumber(
    'TOLLGATE_STUCK_AFTER_MS',
    60_000,
    { min: 0, max: 3_600_000 },
    'A process whose event loop does not turn for this long is ended (SIGKILL), so that its supervisor starts it again; 0 for never',
  ),
  drainMaxMs: wholeNumber(
    'TOLLGATE_DRAIN_MAX_MS',
    20_000,
    { min: 0, max: 600_000 },
    'Longest wait for requests and flushes under way when stopping',
  ),
  startWaitMs: wholeNumber(
    'TOLLGATE_START_WAIT_MS',
    30_000,
    { min: 0, max: 3_600_000 },
    'Longest wait at the start for servers that do not answer yet',
  ),
  kafkaBrokers: optionalText('KAFKA_BROKERS', 'Event log on Kafka: `host:port,host:port`'),
  kafkaTopic: text('KAFKA_TOPIC', 'tollgate-events', 'Its topic; made when it is not there'),
  kafkaDeadLetterTopic: optionalText(
    'KAFKA_DEAD_LETTER_TOPIC',
    'Topic for records that cannot be decoded; by default the name of the other and `-dead-letters`',
  ),
  kafkaReplication: optionalWholeNumber(
    'KAFKA_REPLICATION',
    { min: 1, max: 9 },
    'Copies of each partition of a topic that is made; by default 3, or 1 where `KAFKA_BROKERS` names the only broker there is',
  ),
  kafkaTls: oneOf('KAFKA_TLS', ['off', 'on'], 'off', 'Whether the brokers speak TLS'),
  kafkaCaFile: optionalText('KAFKA_CA_FILE', 'Certificate authority of the brokers, PEM; by default those of the system'),
  kafkaSaslMechanism: oneOf(
    'KAFKA_SASL_MECHANISM',
    ['none', 'plain', 'scram-sha-256', 'scram-sha-512'],
    'none',
    'How to log in to the brokers',
  ),
  kafkaSaslUser: optionalText('KAFKA_SASL_USER', 'User for it'),
  kafkaSaslPassword: optionalText('KAFKA_SASL_PASSWORD', 'Password for it', { isSecret: true }),
  clickhouseUrl: url('CLICKHOUSE_URL', ['http', 'https'], 'Usage store on ClickHouse: `http://user:password@host:8123/database`'),
  clickhouseCluster: optionalText(
    'CLICKHOUSE_CLUSTER',
    'Its cluster, as `remote_servers` there names it: tables are replicated and sharded by customer; without it on one server',
  ),
  databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql'], 'Catalog on PostgreSQL: `postgres://user:password@host:5432/database`'),
  redisUrl: url('REDIS_URL', ['redis', 'rediss'], 'Counters on Redis or Valkey, `rediss://` for TLS: `redis://user:password@host:6379/0`'),
  redisKeyPrefix: text('REDIS_KEY_PREFIX', 'tollgate', 'Begins every key there'),
  redisHoldReplicas: wholeNumber(
    'REDIS_HOLD_REPLICAS',
    0,
    { min: 0, max: 9 },
    'Replicas that must have a reservation before it is answered',
  ),
  clientUrl: url('TOLLGATE_URL', ['http', 'https'], 'For commands that talk to a server: where it is; by default host and port above'),
  clientKey: optionalText('TOLLGATE_KEY', 'For commands that talk to a server: the key to use', { isSecret: true }),
} as const satisfies Record<string, Setting<unknown>>

export type Config = { readonly [Name in keyof typeof SETTINGS]: (typeof SETTINGS)[Name] extends Setting<infer Value> ? Value : never }

export type Environment = Readonly<Record<string, string | undefined>>

export type ConfigOutcome =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: null; readonly problems: readonly [string, ...string[]] }

/** Reads all settings, secrets from files too, and reports all problems at once. An empty variable counts as not set. */
export function readConfig(environment: Environment): ConfigOutcome {
  const secretNames = Object.values<Setting<unknown>>(SETTINGS).flatMap(({ name, isSecret }) => (isSecret ? [name] : []))
  const filled = withSecretFiles(environment, secretNames)
  const problems: string[] = [...filled.problems, ...unknownSettings(filled.environment)]
  const values: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const given = filled.environment[setting.name]
    if (given === undefined || given === '') {
      values[key] = setting.default
      continue
    }
    const parsed = setting.parse(given.trim())
    if ('problem' in parsed) problems.push(`${setting.name} ${parsed.problem}${setting.isSecret ? '' : `, was ${JSON.stringify(given)}`}`)
    else values[key] = parsed.value
  }
  problems.push(...inconsistencies(values as Config))
  const [first, ...rest] = problems
  return first === undefined ? { config: values as Config, problems: [] } : { config: null, problems: [first, ...rest] }
}

/** Problems between settings. A setting whose own value is a problem is absent here. */
function inconsistencies(config: Partial<Config>): string[] {
  const { tlsCert, tlsKey, kafkaSaslMechanism, kafkaSaslUser, kafkaSaslPassword, redisKeyPrefix, payments, paymentsTest, host } = config
  const problems: string[] = []
  if (tlsCert !== undefined && tlsKey !== undefined && (tlsCert === null) !== (tlsKey === null)) {
    problems.push('TOLLGATE_TLS_CERT and TOLLGATE_TLS_KEY are set together, or neither is')
  }
  if (payments === 'test' && paymentsTest !== 'yes' && host !== undefined && !/^(127\.|::1$|localhost$)/.test(host)) {
    problems.push(
      `TOLLGATE_PAYMENTS is test, which gives goods away for nothing, and TOLLGATE_HOST is ${host}: set TOLLGATE_PAYMENTS_TEST=yes if that is wanted`,
    )
  }
  const isLoginGiven = kafkaSaslUser !== null && kafkaSaslPassword !== null
  if (kafkaSaslMechanism !== undefined && kafkaSaslMechanism !== 'none' && !isLoginGiven) {
    problems.push('KAFKA_SASL_MECHANISM is set, and needs KAFKA_SASL_USER and KAFKA_SASL_PASSWORD too')
  }
  if (redisKeyPrefix !== undefined && /[{}\s]/.test(redisKeyPrefix)) {
    problems.push('REDIS_KEY_PREFIX must have no braces and no spaces: braces would move all keys to one node of a cluster')
  }
  return problems
}

/** A misspelt name would be ignored silently. `TOLLGATE_TEST_` belongs to the test suites. */
function unknownSettings(environment: Environment): string[] {
  const known = new Set<string>(Object.values(SETTINGS).map((setting) => setting.name))
  return Object.keys(environment)
    .filter((name) => name.startsWith('TOLLGATE_') && !name.startsWith('TOLLGATE_TEST_') && !known.has(name))
    .map((name) => `${name} is not a setting; \`tollgate config\` lists them`)
}

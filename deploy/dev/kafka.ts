import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findCommand, freePort, isPortOpen, isRunning, type ServerProcess, startServerProcess, waitUntilUp } from './server-process.ts'
import type { DevServer } from './servers.ts'

const run = promisify(execFile)
const START_LIMIT_MS = 60_000
const DOWNLOAD_LIMIT_MS = 300_000

/** Credentials for the SASL listener of a development broker; no real cluster has them. */
export const DEV_SASL = { mechanism: 'plain', username: 'tollgate', password: 'tollgate-dev' } as const

type Broker = { readonly node: number; readonly port: number; readonly saslPort: number; readonly controllerPort: number }
type Cluster = { readonly id: string; readonly isShortLived: boolean; readonly brokers: readonly Broker[] }

/** Brokers for short tests run without the optimizing compiler, which takes most of the processor time of a start. */
export type KafkaSize = { readonly brokers: number; readonly isShortLived: boolean }

/**
 * Starts the brokers of the cluster in `dir` that are not running: all of them the first time, and after a kill only the killed
 * ones, on their old ports. KRaft: every broker is a controller too, so three of them survive the loss of one.
 */
export async function startKafka(dir: string, size: KafkaSize, before: DevServer | undefined): Promise<DevServer> {
  const java = await findCommand('java')
  if (java === undefined) throw new Error('not available: there is no `java` (17 or newer); apt-get install openjdk-17-jre-headless')
  const libs = await kafkaJars()
  const cluster = await readOrMakeCluster(dir, size)
  const processes = await Promise.all(
    cluster.brokers.map(async (broker) => {
      const running = before?.processes.find((known) => known.port === broker.port)
      if (running !== undefined && (await isRunning(running))) return running
      return startBroker(java, libs, dir, cluster, broker)
    }),
  )
  await Promise.all(processes.map((process) => waitUntilUp(process, START_LIMIT_MS, () => isPortOpen(process.port))))
  return {
    name: 'kafka',
    url: cluster.brokers.map((broker) => `127.0.0.1:${broker.port}`).join(','),
    saslUrl: cluster.brokers.map((broker) => `127.0.0.1:${broker.saslPort}`).join(','),
    version: `Apache Kafka ${await kafkaVersion()}, ${cluster.brokers.length} broker(s)`,
    processes,
  }
}

async function startBroker(java: string, libs: string, dir: string, cluster: Cluster, broker: Broker): Promise<ServerProcess> {
  const home = join(dir, `kafka-${broker.node}`)
  const properties = join(home, 'server.properties')
  await mkdir(home, { recursive: true })
  await writeFile(properties, brokerProperties(home, cluster, broker))
  const log4j = `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'kafka.log4j2.xml')}`
  const classpath = join(libs, '*')
  if (!existsSync(join(home, 'data', 'meta.properties'))) {
    const format = ['kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', cluster.id, '-c', properties]
    await run(java, ['-Xmx128m', '-XX:TieredStopAtLevel=1', log4j, '-cp', classpath, ...format], { timeout: START_LIMIT_MS })
  }
  return startServerProcess({
    command: java,
    args: [
      '-Xms128m',
      '-Xmx512m',
      '-XX:+UseSerialGC',
      ...(cluster.isShortLived ? ['-XX:TieredStopAtLevel=1'] : []),
      '-Djava.awt.headless=true',
      log4j,
      '-cp',
      classpath,
      'kafka.Kafka',
      properties,
    ],
    cwd: home,
    port: broker.port,
    logFile: join(home, 'server.log'),
  })
}

function brokerProperties(home: string, cluster: Cluster, broker: Broker): string {
  const replicas = Math.min(3, cluster.brokers.length)
  const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${DEV_SASL.username}="${DEV_SASL.password}";`
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': broker.node,
    'controller.quorum.voters': cluster.brokers.map((one) => `${one.node}@127.0.0.1:${one.controllerPort}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${broker.port},SASL_PLAINTEXT://127.0.0.1:${broker.saslPort},CONTROLLER://127.0.0.1:${broker.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker.port},SASL_PLAINTEXT://127.0.0.1:${broker.saslPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': jaas,
    'log.dirs': join(home, 'data'),
    // A topic that the tested code did not create must be missing in tests.
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': replicas === 3 ? 2 : 1,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // Tests must notice a killed broker while they wait.
    'broker.session.timeout.ms': 6000,
    'replica.lag.time.max.ms': 6000,
    // The defaults are for a machine that runs nothing else: 128 MB for the cleaner alone.
    'log.cleaner.threads': 1,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    'num.network.threads': 2,
    'num.io.threads': 4,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

async function readOrMakeCluster(dir: string, { brokers: brokerCount, isShortLived }: KafkaSize): Promise<Cluster> {
  const file = join(dir, 'kafka.json')
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Cluster
  const brokers: Broker[] = []
  for (let node = 1; node <= brokerCount; node += 1) {
    brokers.push({ node, port: await freePort(), saslPort: await freePort(), controllerPort: await freePort() })
  }
  const cluster = { id: newClusterId(), isShortLived, brokers }
  await writeFile(file, JSON.stringify(cluster, null, 2))
  return cluster
}

/** Folder with the broker's jars, shared by all directories of servers, so that they are downloaded once. */
async function kafkaJars(): Promise<string> {
  const version = await kafkaVersion()
  const libs = join(tmpdir(), `tollgate-kafka-${version}-jars`)
  if (existsSync(libs)) return libs
  const maven = await findCommand('mvn')
  if (maven === undefined) throw new Error('not available: there is no `mvn` to fetch the broker with; apt-get install maven')
  // Downloaded aside and renamed: an interrupted download leaves no half folder, and two starts at once do not collide.
  const partial = `${libs}.${process.pid}`
  const pom = join(import.meta.dirname, 'kafka.pom.xml')
  const copy = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`]
  await run(maven, copy, { timeout: DOWNLOAD_LIMIT_MS }).catch((cause: unknown) => {
    const output = cause instanceof Error && 'stdout' in cause ? String(cause.stdout).slice(-2_000) : ''
    throw new Error(`not available: Maven could not fetch Apache Kafka ${version}\n${output}`, { cause })
  })
  if ((await readdir(partial)).length === 0) throw new Error(`not available: Maven fetched nothing for Apache Kafka ${version}`)
  await rename(partial, libs).catch(() => rm(partial, { recursive: true, force: true }))
  return libs
}

async function kafkaVersion(): Promise<string> {
  const pom = await readFile(join(import.meta.dirname, 'kafka.pom.xml'), 'utf8')
  return /<kafka.version>([^<]+)</.exec(pom)?.[1] ?? 'unknown'
}

/** 16 bytes in base64url. One in 64 would begin with a dash, which Kafka's tool takes for an option. */
function newClusterId(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0)
  return bytes.toString('base64url')
}

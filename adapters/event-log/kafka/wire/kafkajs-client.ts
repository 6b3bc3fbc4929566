import { createRequire } from 'node:module'
import { connect as connectPlain, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import { type KafkaWireOptions, REQUEST_MS_MAX } from '../kafka-wire.ts'

export function createKafkaJsClient(options: KafkaWireOptions): Kafka {
  stopIdleTimers()
  return new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: CONNECT_MS_MAX,
    authenticationTimeout: CONNECT_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    // A copy, as kafkajs writes its own fields into the object, which holds the password.
    ...(options.sasl === undefined ? {} : { sasl: { ...options.sasl } as SASLOptions }),
    // Every field is given: with NODE_ENV=test kafkajs takes other defaults, and tests would run something else than production.
    // Retries are few and short, because our own loops retry, with a bound that they know.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2 },
    logLevel: logLevel.WARN,
    // kafkajs reports errors that it is about to retry; an error that stays is a Fault and is logged as such.
    logCreator:
      () =>
      ({ namespace, log }) =>
        options.log.debug({ namespace, error: log.error }, `kafkajs: ${log.message}`),
    // As kafkajs's own, but without Nagle's algorithm: the last segment of a request would wait for an acknowledgement.
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const servername = isIP(host) === 0 ? { servername: host } : {}
      const socket = ssl ? connectTls({ host, port, ...servername, ...ssl }, onConnect) : connectPlain({ host, port }, onConnect)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      socket.setNoDelay(true)
      // While a broker is away kafkajs closes the same socket again and again, which adds a listener each time.
      socket.setMaxListeners(0)
      return socket
    },
  })
}

/**
 * kafkajs 2.2.4 sets a timer of a negative time after every response, which costs a timer each and on Node 24 warns
 * (TimeoutNegativeWarning). Nothing waits for that timer unless a request is held back.
 */
function stopIdleTimers(): void {
  const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
    readonly prototype: { pending: readonly unknown[]; scheduleCheckPendingRequests: () => void }
  }
  const { prototype } = queue
  if (patched.has(prototype)) return
  patched.add(prototype)
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: { readonly pending: readonly unknown[] }) {
    if (this.pending.length > 0) schedule.call(this)
  }
}

const patched = new WeakSet<object>()
const CONNECT_MS_MAX = 5_000
const KEEP_ALIVE_MS = 60_000

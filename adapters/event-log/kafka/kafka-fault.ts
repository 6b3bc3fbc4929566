import { Fault } from '../../../base/fault.ts'
import { KafkaWireError } from './kafka-wire.ts'

/** Where the brokers are, for messages; addresses carry no password. */
export type KafkaAddress = { readonly brokers: readonly string[]; readonly topic: string }

/** The port's Fault: what could not be done, where, why, and the next move. */
export function kafkaFault(address: KafkaAddress, attempted: string, error: unknown): Fault {
  if (error instanceof Fault) return error
  const why = error instanceof Error ? error.message : String(error)
  const { nextMove, canRetry } = adviceFor(error, why)
  return new Fault('log_unavailable', `${place(address)} could not ${attempted}: ${why}. ${nextMove}`, {
    canRetry,
    publicText: 'The event log cannot be used at the moment.',
    cause: error,
  })
}

export function partitionsDifferFault(address: KafkaAddress, held: number, configured: number): Fault {
  return new Fault(
    'log_partitions_differ',
    `${place(address)} has ${held} partitions and cannot be opened with ${configured}: customers would move to other partitions. Start with ${held}, or with another topic.`,
    { canRetry: false, publicText: 'The event log is set up wrongly.' },
  )
}

export function stoppedFault(address: KafkaAddress): Fault {
  return new Fault('log_unavailable', `${place(address)} is being closed by this process.`, {
    canRetry: true,
    publicText: 'The event log cannot be used at the moment.',
  })
}

export function overloadedFault(address: KafkaAddress, bytes: number, bytesMax: number): Fault {
  return new Fault(
    'log_overloaded',
    `${place(address)} has not yet acknowledged ${bytes} bytes, of at most ${bytesMax}. Wait for its brokers, or give them more.`,
    { canRetry: true, publicText: 'More events are arriving than can be made durable. Nothing of this append was kept.' },
  )
}

/** Going on would give new records offsets that the views have already read, so those records would never be counted. */
export function logEndsEarlyFault(address: KafkaAddress, partition: number, position: number, next: number): Fault {
  return new Fault(
    'log_corrupt',
    `${place(address)} ends at offset ${next} in partition ${partition}, but its views have read up to ${position}: records were lost or the topic was made anew. Restore the topic, or start with empty stores.`,
    { canRetry: false, publicText: 'The event log does not fit the stored usage.' },
  )
}

/** The name of the broker's error in the protocol, e.g. 'NOT_LEADER_FOR_PARTITION'; null for errors that no broker answered. */
export function answerOf(error: unknown): string | null {
  return error instanceof KafkaWireError ? error.answer : null
}

/** True for temporary errors: an election, a broker that restarts, a connection that broke. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof KafkaWireError) || error.canRetry
}

function place({ brokers, topic }: KafkaAddress): string {
  return `The event log on Kafka (${brokers.join(',')}, topic ${topic})`
}

function adviceFor(error: unknown, why: string): { readonly nextMove: string; readonly canRetry: boolean } {
  const answer = answerOf(error) ?? ''
  if (answer.includes('SASL')) {
    return { nextMove: 'Check the SASL mechanism, user and password.', canRetry: false }
  }
  if (answer.endsWith('AUTHORIZATION_FAILED')) return { nextMove: 'Give this user the right in the ACLs of the cluster.', canRetry: false }
  if (answer === 'INVALID_REPLICATION_FACTOR') return { nextMove: 'Start more brokers, or set a lower KAFKA_REPLICATION.', canRetry: false }
  if (answer.startsWith('NOT_ENOUGH_REPLICAS')) return { nextMove: 'Bring back the brokers that are missing.', canRetry: true }
  if (answer === 'KAFKA_STORAGE_ERROR') return { nextMove: 'Check the disks of its brokers.', canRetry: true }
  if (answer !== '') return { nextMove: 'See the log of its brokers.', canRetry: isPassing(error) }
  if (/certificate|self.signed|SSL|wrong version number|TLS/i.test(why)) {
    return { nextMove: 'Check the TLS settings: the certificate authority, and that the listener speaks TLS.', canRetry: true }
  }
  if (/Closed connection|ECONNRESET|Connection timeout|timed out/i.test(why)) {
    return { nextMove: 'Check that KAFKA_BROKERS names a Kafka listener, and whether it wants TLS or SASL.', canRetry: true }
  }
  return { nextMove: 'Check KAFKA_BROKERS and that the brokers run.', canRetry: true }
}

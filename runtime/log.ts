import { destination, type Logger, pino } from 'pino'
import type { Config } from './settings/config.ts'

/** JSON lines on standard error; standard output is for the answers of commands. */
export function createLog(config: Pick<Config, 'logLevel'>): Logger {
  return pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: 2, sync: true }))
}

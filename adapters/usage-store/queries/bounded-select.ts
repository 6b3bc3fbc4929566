import { type Refusal, RefusalError, refuse } from '../../../domain/refusal.ts'
import type { ClickHouseExecutor, QueryParams, ResultRow } from '../engine/clickhouse-executor.ts'
import { engineErrorCode } from '../engine/usage-store-fault.ts'
import type { ReadBounds } from '../read-bounds.ts'

/** A read for callers of the api, within its bounds on time, memory and bytes. Throws `read_too_slow` and `read_too_large`. */
export type BoundedSelect = (sql: string, params: QueryParams, settings?: string) => Promise<readonly ResultRow[]>

export function createBoundedSelect(executor: ClickHouseExecutor, bounds: ReadBounds): BoundedSelect {
  const { timeMs, memoryBytes, resultBytes } = bounds
  const bounded = `SETTINGS max_execution_time = ${timeMs / 1_000}, max_memory_usage = ${memoryBytes}, max_result_bytes = ${resultBytes}`
  return async (sql, params, settings) => {
    try {
      return await executor.select(`${sql}\n${bounded}${settings === undefined ? '' : `, ${settings}`}`, params)
    } catch (error) {
      const refusal = refusalOf(engineErrorCode((error as Error).cause), bounds)
      throw refusal === null ? error : new RefusalError(refusal)
    }
  }
}

/** The engine's code when a statement takes longer than allowed: TIMEOUT_EXCEEDED. */
export const TOO_SLOW = '159'

/** The engine's code when an answer is larger than allowed: TOO_MANY_ROWS_OR_BYTES. */
export const TOO_MANY_BYTES = '396'

function refusalOf(code: string | null, { timeMs, memoryBytes, resultBytes }: ReadBounds): Refusal | null {
  switch (code) {
    case TOO_SLOW:
      return refuse('read_too_slow', { timeMs })
    case '241': // MEMORY_LIMIT_EXCEEDED
      return refuse('read_too_large', { most: memoryBytes, of: 'memory' })
    case TOO_MANY_BYTES:
      return refuse('read_too_large', { most: resultBytes, of: 'result' })
    default:
      return null
  }
}

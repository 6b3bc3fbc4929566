import type { Command } from 'commander'
import type { Scope } from '../../../domain/principal.ts'

/** A command that asks a running server. */
export function withServer(command: Command, scope: Scope): Command {
  return command
    .option('--url <url>', 'where the server is (TOLLGATE_URL)')
    .option('--key <key>', `key with scope ${scope} (TOLLGATE_KEY, else TOLLGATE_ADMIN_KEY)`)
}

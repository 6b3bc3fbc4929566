import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { BackupReport } from '../../custody/backup/take-backup.ts'
import type { Stage } from '../../schemas/http/stage.ts'

/** How a backup under way is told to the command that asked for it: one JSON value a line. */
export type BackupLine = { readonly progress: string } | { readonly done: BackupReport } | { readonly failed: string }

export type ControlSocketOptions = {
  readonly dataDir: string
  readonly log: Logger
  readonly backUp: (target: string, onProgress: (text: string) => void) => Promise<BackupReport>
}

/**
 * Takes orders of commands on the same machine through a socket in the data directory, which only its owner can open. One backup at
 * a time.
 */
export function controlSocket({ dataDir, log, backUp }: ControlSocketOptions): Stage {
  const path = socketPath(dataDir)
  let isBusy = false
  async function answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (line: BackupLine) => void response.write(`${JSON.stringify(line)}\n`)
    let text = ''
    for await (const chunk of asked) text += String(chunk)
    if (isBusy) {
      say({ failed: 'a backup is under way already' })
    } else {
      isBusy = true
      try {
        const { target } = JSON.parse(text) as { target: string }
        const done = await backUp(target, (progress) => say({ progress }))
        log.info({ directory: done.directory, bytes: done.bytes, newBytes: done.newBytes }, 'backed up')
        say({ done })
      } catch (error) {
        log.error({ err: error }, 'backup failed')
        say({ failed: error instanceof Error ? error.message : String(error) })
      } finally {
        isBusy = false
      }
    }
    response.end()
  }
  const server = createServer((asked, response) => void answer(asked, response))
  return {
    name: 'control socket',
    async start() {
      if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
        log.warn({ path }, 'the path of the data directory is too long for a control socket: stop the server to back it up')
        return
      }
      // Left behind by a killed process; the lock of the directory says that there is no other.
      rmSync(path, { force: true })
      server.listen(path)
      await once(server, 'listening')
    },
    async stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export const CONTROL_SOCKET_FILE = 'control.sock'
/** Of the operating system. */
const PATH_BYTES_MAX = 100

function socketPath(dataDir: string): string {
  return join(dataDir, CONTROL_SOCKET_FILE)
}

/** Asks the server on this data directory for a backup; null when none runs there. */
export async function askForBackup(dataDir: string, target: string, onLine: (line: BackupLine) => void): Promise<boolean> {
  const asking = request({ socketPath: socketPath(dataDir), method: 'POST', path: '/backups' })
  asking.end(JSON.stringify({ target }))
  const answer = await new Promise<IncomingMessage | null>((resolve, reject) => {
    asking.once('response', resolve)
    asking.once('error', (error: NodeJS.ErrnoException) => (NOBODY.has(error.code ?? '') ? resolve(null) : reject(error)))
  })
  if (answer === null) return false
  let text = ''
  for await (const chunk of answer) {
    text += String(chunk)
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) onLine(JSON.parse(line) as BackupLine)
  }
  return true
}

const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'EINVAL'])

import { connect, type Socket } from 'node:net'

/** One keep-alive connection that sends ready-made requests, one at a time, and reads only the status and the end of an answer. */
export type HttpConnection = {
  /** Sends the bytes of a whole request. Must not be called before the last request was answered. */
  send(request: Uint8Array, answered: (status: number) => void): void
  close(): void
}

export async function openHttpConnection(port: number, onFailure: (error: Error) => void): Promise<HttpConnection> {
  const socket = await connected(port)
  let answered: ((status: number) => void) | null = null
  let pending: Buffer = Buffer.alloc(0)
  let isClosing = false

  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    const headEnd = pending.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = pending.toString('latin1', 0, headEnd)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) return fail(new Error(`an answer without content-length: ${head}`))
    if (pending.length < headEnd + 4 + Number(length)) return
    pending = Buffer.alloc(0)
    const done = answered
    answered = null
    done?.(Number(head.slice(9, 12)))
  })
  socket.on('error', fail)
  socket.on('close', () => {
    if (!isClosing) fail(new Error('the server closed the connection'))
  })

  function fail(error: Error): void {
    if (isClosing) return
    isClosing = true
    socket.destroy()
    onFailure(error)
  }

  return {
    send(request, done) {
      answered = done
      socket.write(request)
    },
    close() {
      isClosing = true
      socket.end()
    },
  }
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

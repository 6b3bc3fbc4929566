import { connect, type Socket } from 'node:net'

/** Clients that occupy connections and send nothing useful: they stay while others are served. */
export type Crowd = { readonly held: () => number; leave(): void }

const DRIP_EVERY_MS = 500

/** `idle` connections that say nothing, and `slow` ones that send a body byte by byte, begun anew when the server ends them. */
export async function gatherCrowd(port: number, key: string, { idle, slow }: { idle: number; slow: number }): Promise<Crowd> {
  const sockets = new Set<Socket>()
  let isOver = false

  async function join(onOpen: (socket: Socket) => void): Promise<void> {
    const socket = connect({ port, host: '127.0.0.1' })
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.resume()
    socket.once('close', () => {
      sockets.delete(socket)
      if (!isOver) void join(onOpen)
    })
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve)
      socket.once('close', () => resolve())
    })
    onOpen(socket)
  }

  for (let left = idle; left > 0; left -= 100) await Promise.all(Array.from({ length: Math.min(left, 100) }, () => join(() => undefined)))
  const drip = (socket: Socket) => {
    socket.write(slowHead(key))
    const timer = setInterval(() => socket.write(' '), DRIP_EVERY_MS)
    socket.once('close', () => clearInterval(timer))
  }
  await Promise.all(Array.from({ length: slow }, () => join(drip)))

  return {
    held: () => [...sockets].filter((socket) => socket.readyState === 'open').length,
    leave() {
      isOver = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

function slowHead(key: string): string {
  const headers = [`Authorization: Bearer ${key}`, 'Content-Type: application/json', 'Content-Length: 100000', 'Host: a']
  return `POST /v1/events HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`
}

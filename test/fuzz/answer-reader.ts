export type WireAnswer = {
  readonly status: number
  /** Names in lower case; the last value of a repeated header. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/**
 * HTTP/1.1 answers as they come over a socket, without a client in between that would forgive anything. `isHead` tells for each
 * answer by its place whether its request was a HEAD, as only that shows that no body follows.
 */
export type AnswerReader = {
  push(bytes: Buffer): void
  /** The sender has closed: an answer that is read to the end is complete now. */
  end(): void
  readonly answers: readonly WireAnswer[]
  /** Bytes that belong to no complete answer. */
  rest(): number
}

export function createAnswerReader(isHead: (place: number) => boolean): AnswerReader {
  const answers: WireAnswer[] = []
  let bytes = Buffer.alloc(0)

  function read(isEnd: boolean): void {
    for (;;) {
      const found = readAnswer(bytes, isHead(answers.length), isEnd)
      if (found === null) return
      bytes = bytes.subarray(found.end)
      if (found.answer.status >= 200) answers.push(found.answer)
    }
  }

  return {
    push(more) {
      bytes = Buffer.concat([bytes, more])
      read(false)
    },
    end: () => read(true),
    answers,
    rest: () => bytes.length,
  }
}

type Found = { readonly answer: WireAnswer; readonly end: number }

function readAnswer(bytes: Buffer, isHead: boolean, isEnd: boolean): Found | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})( |$)/.exec(statusLine)?.[1])
  if (Number.isNaN(status)) throw new Error(`not an answer of HTTP/1.1: ${JSON.stringify(statusLine.slice(0, 200))}`)
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
  const from = headEnd + 4
  const whole = (end: number): Found => ({ answer: { status, headers, body: bytes.subarray(from, end).toString('utf8') }, end })
  if (isHead || status < 200 || status === 204 || status === 304) return whole(from)
  if (headers.get('transfer-encoding') === 'chunked') {
    const chunked = readChunks(bytes, from)
    return chunked === null ? null : { answer: { status, headers, body: chunked.body }, end: chunked.end }
  }
  const length = headers.get('content-length')
  if (length === undefined) return isEnd ? whole(bytes.length) : null
  const end = from + Number(length)
  return bytes.length < end ? null : whole(end)
}

function readChunks(bytes: Buffer, from: number): { readonly body: string; readonly end: number } | null {
  const chunks: Buffer[] = []
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16)
    const chunkEnd = lineEnd + 2 + size
    if (bytes.length < chunkEnd + 2) return null
    chunks.push(bytes.subarray(lineEnd + 2, chunkEnd))
    at = chunkEnd + 2
    if (size === 0) return { body: Buffer.concat(chunks).toString('utf8'), end: at }
  }
}

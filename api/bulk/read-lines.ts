/** A line without its end; undefined where it was longer than may be, and its bytes are gone. */
export type Line = Buffer | undefined

/** Cuts bytes into lines and holds one line at most. Blank lines are kept, so that callers can count. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<Line> {
  let parts: Uint8Array[] = []
  let bytes = 0
  const take = (): Line => {
    const line = bytes > lineBytesMax ? undefined : Buffer.concat(parts)
    parts = []
    bytes = 0
    return line
  }
  const put = (part: Uint8Array) => {
    bytes += part.length
    if (bytes > lineBytesMax) parts = []
    else parts.push(part)
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      put(chunk.subarray(from, end))
      yield take()
      from = end + 1
    }
    put(chunk.subarray(from))
  }
  if (bytes > 0) yield take()
}

const NEWLINE = 10

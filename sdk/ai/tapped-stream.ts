export type Tap<Part> = {
  each(part: Part): void
  /** Told once: the end, an error, or a cancel of the one who reads. */
  end(how: 'done' | 'cut' | 'aborted'): void
}

/** The same parts, one read for one pull, without a buffer of its own: what nobody reads is not asked for. */
export function tappedStream<Part>(stream: ReadableStream<Part>, tap: Tap<Part>): ReadableStream<Part> {
  const reader = stream.getReader()
  let isOver = false
  const over = (how: 'done' | 'cut' | 'aborted') => {
    if (isOver) return
    isOver = true
    tap.end(how)
  }
  return new ReadableStream<Part>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) {
            over('done')
            controller.close()
            return
          }
          tap.each(value)
          controller.enqueue(value)
        } catch (error) {
          over(isAbort(error) ? 'aborted' : 'cut')
          controller.error(error)
        }
      },
      async cancel(reason) {
        over('aborted')
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

export function isAbort(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'AbortError'
}

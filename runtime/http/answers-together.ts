import type { HttpApp } from '../../schemas/http/common.ts'

/**
 * Writes all answers that become ready in one turn of the event loop together at its end. A write that wakes a sleeping client
 * costs several times one to a client that is awake; so a burst of answers wakes it once.
 */
export function sendAnswersTogether(app: HttpApp): void {
  let ready: (() => void)[] = []

  function sendAll(): void {
    const sending = ready
    ready = []
    for (const send of sending) send()
  }

  app.addHook('onSend', (_request, _reply, _payload, done) => {
    if (ready.push(done) === 1) setImmediate(sendAll)
  })
}

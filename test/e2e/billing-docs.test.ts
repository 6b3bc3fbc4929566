import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'
import { runTollgate } from '../support/servers/tollgate-process.ts'

type Step =
  | { readonly kind: 'clock'; readonly at: string }
  | { readonly kind: 'http'; readonly method: 'GET' | 'PUT' | 'POST'; readonly path: string; readonly body: string }
  | { readonly kind: 'sh'; readonly command: string }
  | { readonly kind: 'text'; readonly lines: readonly string[] }

/** A stranger who follows docs/billing.md comes to what stands there. */
describe('the worked month of docs/billing.md', () => {
  let server: BillingServer
  let output = ''
  let firstId = ''
  beforeAll(async () => {
    server = await startBillingServer(instant('2026-11-01T00:00:00Z'))
  })
  afterAll(() => server?.stop())

  test('every request is taken, and every command answers what the page says', async () => {
    const steps = stepsOf(readFileSync(new URL('../../docs/billing.md', import.meta.url), 'utf8'))
    expect(steps.length).toBeGreaterThan(25)
    for (const step of steps) await follow(step)
  })

  async function follow(step: Step): Promise<void> {
    switch (step.kind) {
      case 'clock':
        server.set(instant(step.at))
        return
      case 'http': {
        const body = step.body === '' ? undefined : JSON.parse(step.body)
        const answer = await server.ok<{ data?: { id: string }[] }>(step.method, step.path.replace('{id}', firstId), body)
        firstId = answer.data?.[0]?.id ?? firstId
        return
      }
      case 'sh': {
        const args = step.command.split(' ').slice(1)
        const isVerify = args.includes('verify')
        const asked = isVerify ? await server.verify() : await runTollgate([...args, '--url', server.url, '--key', server.key])
        output = asked.output
        return
      }
      case 'text':
        for (const line of step.lines) expect(output).toContain(line)
    }
  }
})

function stepsOf(page: string): readonly Step[] {
  const blocks = /^\*It is (\S+)\.\*$|^```(http|sh|text)\n([\s\S]*?)\n```$/gm
  return [...page.matchAll(blocks)].map(([, at, language, content = '']): Step => {
    if (at !== undefined) return { kind: 'clock', at }
    const [first = '', ...rest] = content.split('\n')
    if (language === 'sh') return { kind: 'sh', command: content }
    if (language === 'text') return { kind: 'text', lines: content.split('\n') }
    const [method, path = ''] = first.split(' ')
    if (method !== 'GET' && method !== 'PUT' && method !== 'POST') throw new Error(`no request: ${first}`)
    return { kind: 'http', method, path, body: rest.join('\n') }
  })
}

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, startTollgate, type TollgateProcess } from '../support/servers/tollgate-process.ts'
import { type SdksForTest, vendorPythonSdks, vendorSdks } from '../support/servers/vendor-sdks.ts'

/** Each drives the vendor's own SDK through its documented flows. `notServed`: how its failing steps begin, and why they fail. */
const SCRIPTS: readonly {
  readonly vendor: string
  readonly flags: readonly string[]
  readonly notServed: Readonly<Record<string, string>>
}[] = [
  {
    vendor: 'kelviq',
    flags: ['--all'],
    notServed: {
      'checkout.createSession': 'there are no checkouts yet',
      'checkoutUrl shows a page': 'there are no checkouts yet',
      'confirming the page': 'there are no checkouts yet',
      'confirming twice': 'there are no checkouts yet',
      'python: checkout.create_session': 'there are no checkouts yet',
      'portal.createSession': 'there is no portal yet',
      'license calls': 'there are no licenses yet',
    },
  },
  {
    vendor: 'openmeter',
    flags: ['--extended'],
    notServed: {
      'extended: an entitlement with an anchor': 'an override begins when it is made',
      'extended: entitlements.history': 'there is no history of a balance',
      'extended: a portal token': 'portal tokens are not served yet',
    },
  },
  {
    vendor: 'autumn',
    flags: ['--all'],
    notServed: {
      'billing.previewAttach': 'previews are not served yet',
      'billing.attach with redirectMode always': 'there are no checkouts yet',
      'billing.openCustomerPortal': 'there is no portal yet',
      'entities have balances': 'a customer has no balances below it',
      trackTokens: 'a model call has no price in money yet',
    },
  },
]

let tollgate: TollgateProcess
let node: SdksForTest
let python: SdksForTest

beforeAll(async () => {
  node = await vendorSdks()
  python = await vendorPythonSdks()
  tollgate = await startTollgate()
})
afterAll(async () => {
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

describe.each(SCRIPTS)('the unmodified SDK of $vendor', ({ vendor, flags, notServed }) => {
  test('is served step by step', async ({ skip }) => {
    if (node.path === null) return skip(node.missing)
    const withPython = vendor === 'kelviq' && python.path !== null ? ['--python', python.path] : []
    const output = await runScript(vendor, ['--url', tollgate.url, '--key', tollgate.adminKey, '--sdk', node.path, ...flags, ...withPython])
    const failed = output.split('\n').flatMap((line) => /^FAIL (.*)/.exec(line)?.[1] ?? [])
    const isKnown = (step: string) => Object.keys(notServed).some((start) => step.startsWith(start))
    expect(failed.filter((step) => !isKnown(step))).toEqual([])
    // A step that is served by now leaves the list.
    expect(Object.keys(notServed).filter((start) => !failed.some((step) => step.startsWith(start)))).toEqual([])
    expect(output.match(/^ok /gm)?.length).toBeGreaterThan(0)
  })
})

async function runScript(vendor: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `../compat/${vendor}.mjs`), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', collect)
  await new Promise((resolve) => child.once('close', resolve))
  return output
}

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type RedisScript = { readonly name: string; readonly text: string; readonly sha: string }

/** A script that only reads runs also when memory is full. */
const READ_ONLY = ' flags=no-writes'
const FOLDER = join(import.meta.dirname, 'lua')
/** Functions that scripts share stand before each of them. */
const SHARED = ['decimal', 'partition', 'counter', 'hold'].map(readLua).join('\n')

/**
 * Every change is one script, which runs whole or not at all: for the first line Redis checks before it begins that there is
 * memory for writes, and in a cluster that all keys are on this node.
 */
export const REDIS_SCRIPTS = {
  apply: script('apply'),
  track: script('track'),
  tracked: script('tracked', READ_ONLY),
  read: script('read', READ_ONLY),
  snapshot: script('snapshot', READ_ONLY),
  confirm: script('confirm'),
  reset: script('reset'),
  sweep: script('sweep'),
  requestTracking: script('request-tracking'),
  takeRequests: script('take-requests'),
  claimId: script('claim-id'),
  takeOverId: script('take-over-id'),
  fenceHold: script('fence-hold'),
  reserve: script('reserve'),
  settle: script('settle'),
  release: script('release'),
  extend: script('extend'),
  expireHolds: script('expire-holds'),
} as const

function script(name: string, flags = ''): RedisScript {
  const text = `#!lua${flags}\n${SHARED}\n${readLua(name)}`
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

function readLua(name: string): string {
  return readFileSync(join(FOLDER, `${name}.lua`), 'utf8')
}

import { expect, test } from 'vitest'
import { RefusalError } from '../domain/refusal.ts'
import { INGEST_BOUNDS } from './ingest-bounds.ts'
import { createRoom, roomForDecoder } from './room.ts'

const holder = (tenant: string, connection = {}) => ({ tenant, key: tenant, connection })

test('requests wait for room as long and as many as may; one more is refused at once, and another tenant waits', async () => {
  const waitedMs: number[] = []
  const ends: (() => void)[] = []
  const room = createRoom(1_000, {
    after: (ms, call) => {
      waitedMs.push(ms)
      ends.push(call)
      return () => undefined
    },
  })
  const third = Math.floor(INGEST_BOUNDS.decoderBytes.most / 3)
  const connection = {}
  const holds = await Promise.all([1, 2, 3].map(() => roomForDecoder(room, holder('hog', connection), Math.floor(third / 4))))
  const most = Math.floor(INGEST_BOUNDS.waiting.most / 4)
  const waits = Array.from({ length: most }, () => roomForDecoder(room, holder('hog', connection), third).catch((error: unknown) => error))
  const refused = await roomForDecoder(room, holder('hog', connection), third).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(RefusalError)
  expect(refused).toMatchObject({ refusal: { code: 'overloaded', fields: { bound: 'decoder_bytes', per: 'connection' } } })
  const other = roomForDecoder(room, holder('other'), INGEST_BOUNDS.decoderBytes.most).catch((error: unknown) => error)
  expect(ends).toHaveLength(most + 1)
  expect(new Set(waitedMs)).toEqual(new Set([INGEST_BOUNDS.waitingTime.most * 1_000]))
  for (const end of ends) end()
  for (const outcome of await Promise.all([...waits, other])) expect(outcome).toMatchObject({ refusal: { code: 'overloaded' } })
  for (const giveBack of holds) giveBack()
  expect(room.decoders.held()).toBe(0)
})

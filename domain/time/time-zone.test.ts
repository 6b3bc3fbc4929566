import { describe, expect, test } from 'vitest'
import { inLongRun } from '../../test/support/long-run.ts'
import { sampledZones } from '../../test/support/time-zones.ts'
import { DAY_MS, MINUTE_MS } from './durations.ts'
import { findTimeZone, timeZone } from './time-zone.ts'

describe('time zones', () => {
  test.each([
    ['UTC', 'UTC'],
    ['Etc/UTC', 'UTC'],
    ['GMT', 'UTC'],
    ['Etc/GMT+5', 'Etc/GMT+5'],
    ['europe/berlin', 'Europe/Berlin'],
    ['US/Pacific', 'America/Los_Angeles'],
    ['CET', 'Europe/Brussels'],
  ])('%s is known', (name, known) => expect(findTimeZone(name)?.name).toBe(known))

  test.each([
    '',
    'SystemV/PST8',
    'PST',
    'IST',
    'Etc/Unknown',
    '+02:00',
    '-08',
    'GMT+1',
    'UTC+2',
    'Mars/Olympus',
    'posix/UTC',
    'Europe/Berlin ',
    ' UTC',
    'A/../B',
  ])("'%s' is unknown", (name) => expect(findTimeZone(name)).toBeNull())

  test('spans have the offset that the process tells, at each half day and around each jump, and fill time', () => {
    for (const name of sampledZones(inLongRun(Number.POSITIVE_INFINITY, 6))) {
      const zone = timeZone(name)
      const told = new Intl.DateTimeFormat('en-US', { timeZone: name, hour: 'numeric', timeZoneName: 'longOffset' })
      const offsetMs = (atMs: number) => {
        const [, sign, hours = '0', minutes = '0', seconds = '0'] =
          /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(told.format(atMs)) ?? expect.fail(told.format(atMs))
        return (Number(hours) * 60 + Number(minutes) + Math.round(Number(seconds) / 60)) * MINUTE_MS * (sign === '-' ? -1 : 1)
      }
      const untilMs = Date.UTC(2031, 0)
      for (let atMs = Date.UTC(inLongRun(1970, 2015), 0); atMs < untilMs; atMs += DAY_MS / 2) {
        if (zone.spanAt(atMs).offsetMs !== offsetMs(atMs)) expect.fail(`${name} at ${new Date(atMs).toISOString()}`)
      }
      for (let span = zone.spanAt(Date.UTC(2015, 0)); span.endMs < untilMs; span = zone.spanAt(span.endMs)) {
        expect(zone.spanAt(span.endMs).startMs, name).toBe(span.endMs)
        expect([offsetMs(span.endMs - 1), offsetMs(span.endMs)], name).toEqual([span.offsetMs, zone.spanAt(span.endMs).offsetMs])
      }
    }
  })
})

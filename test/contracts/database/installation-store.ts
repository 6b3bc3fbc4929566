import { describe, expect, test } from 'vitest'
import { sqlInstallationStore } from '../../../adapters/database/installation/installation-store.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'

export function describeStore({ session }: DatabaseUnderTest): void {
  describe('the installation', () => {
    test('a database that was made empty has an id of its own from then on', async () => {
      const first = await sqlInstallationStore(session).get()
      expect(first).toMatchObject({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), isNew: true })
      expect(await sqlInstallationStore(session).get()).toEqual(first)
    })
  })
}

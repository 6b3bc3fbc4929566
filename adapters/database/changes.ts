import type { InstantMs, TenantKey } from '../../domain/identity.ts'

/**
 * Topics of change, each with what its key is. A store declares its own beside its SQL:
 * `declare module '../changes.ts' { interface Topics { grants: CustomerKey } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: every member is declared by the store that announces it
export interface Topics {}

export type Topic = keyof Topics

/** A change of one of these topics. */
export type Change<Name extends Topic = Topic> = {
  [Each in Name]: { readonly tenant: TenantKey; readonly topic: Each; readonly key: Topics[Each] }
}[Name]

export type ChangeListener<Name extends Topic> = {
  readonly topics: readonly Name[]
  changed(change: Change<Name>): void
  /** Changes of any tenant and topic may have gone unheard: whoever keeps copies drops them all. */
  missed(): void
}

/** Changes that were committed, of all processes; those of this one before the promise of the change resolves. */
export type ChangeFeed = {
  subscribe<Name extends Topic>(listener: ChangeListener<Name>): void
  /** Every change committed up to this instant has been delivered to the listeners of this process. */
  heardUpToMs(): InstantMs
}

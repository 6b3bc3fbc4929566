import type { InstantMs, TenantKey } from '../../domain/identity.ts'

/**
 * Topics of change, each with the type of its key. A store declares its own beside its SQL: `declare module '../changes.ts' {
 * interface Topics { grants: CustomerKey } }`.
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
  /** Changes of any tenant and topic may have gone unheard: a listener that keeps copies drops them all. */
  missed(): void
}

/** Committed changes of all processes. A change by this process is heard before its promise resolves. */
export type ChangeFeed = {
  subscribe<Name extends Topic>(listener: ChangeListener<Name>): void
  /** The listeners of this process have heard every change committed up to this instant. */
  heardUpToMs(): InstantMs
}

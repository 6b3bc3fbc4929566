import type { Refusal } from '../../domain/refusal.ts'

/** Stands in the place of an event that could not even be parsed. */
export class UnreadableEvent {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    this.refusal = refusal
  }
}

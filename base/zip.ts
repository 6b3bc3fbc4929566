import { invariant } from './invariant.ts'

/** Pairs the items of two lists of one length, place by place. */
export function zip<Left, Right>(left: readonly Left[], right: readonly Right[]): (readonly [Left, Right])[] {
  invariant(left.length === right.length, `lists go together place by place, these have ${left.length} and ${right.length}`)
  return left.map((each, index) => [each, right[index] as Right] as const)
}

import { type WindowFold, windowBytes } from '../fold/window-fold.ts'

/** What the windows of all partitions and backfills take together, and who has to let go of some. */
export type WindowMemory = {
  add(fold: WindowFold): void
  remove(fold: WindowFold): void
  bytes(): number
  /**
   * Whether this one must let go before it folds on: all together are over the bound, and it has half an equal share or more.
   * So all stay below one and a half times the bound, and what has little is not asked for it.
   */
  isOver(fold: WindowFold): boolean
}

export function createWindowMemory(bytesMax: number): WindowMemory {
  const folds = new Set<WindowFold>()
  const bytes = () => [...folds].reduce((sum, fold) => sum + windowBytes(fold), 0)
  return {
    add: (fold) => void folds.add(fold),
    remove: (fold) => void folds.delete(fold),
    bytes,
    isOver: (fold) => windowBytes(fold) * 2 * folds.size >= bytesMax && bytes() > bytesMax,
  }
}

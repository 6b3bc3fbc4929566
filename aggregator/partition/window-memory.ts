import { type WindowFold, windowBytes } from '../fold/window-fold.ts'

/** The memory of all windows of partitions and backfills, and which of them must drop some. */
export type WindowMemory = {
  add(fold: WindowFold): void
  remove(fold: WindowFold): void
  bytes(): number
  /**
   * Whether this fold must drop windows before it goes on: all together exceed the bound, and it has at least half an equal
   * share. So all stay below one and a half times the bound, and a small fold is not asked for its windows.
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

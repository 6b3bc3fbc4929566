/** Gives the turn back; further calls have no effect. */
export type GiveBack = () => void

/** Turns at slow work, shared fairly: a caller who asks for many waits behind its own, not before others. */
export type FairTurns = {
  /** Calls back when the turn has come, which may be at once. False, without a call, when as many of this name wait as may. */
  take(name: string, onTurn: (giveBack: GiveBack) => void): boolean
}

export type FairTurnsOptions = {
  readonly atOnceMax: number
  /** Turns of one name at once; fewer than all, so that another need not wait for the longest of them. */
  readonly ofOneMax: number
  /** Waiting calls of one name. */
  readonly waitingMax: number
}

type Line = { underWay: number; readonly waiting: ((giveBack: GiveBack) => void)[] }

export function createFairTurns({ atOnceMax, ofOneMax, waitingMax }: FairTurnsOptions): FairTurns {
  /** Names with a turn or waiting for one; the name whose turn ended last stands at the end. */
  const lines = new Map<string, Line>()
  let underWay = 0

  function start(name: string, line: Line, onTurn: (giveBack: GiveBack) => void): void {
    underWay++
    line.underWay++
    lines.set(name, line)
    let isHeld = true
    onTurn(() => {
      if (!isHeld) return
      isHeld = false
      underWay--
      line.underWay--
      // To the end of the order, so that the others come first.
      lines.delete(name)
      if (line.underWay > 0 || line.waiting.length > 0) lines.set(name, line)
      startNext()
    })
  }

  function startNext(): void {
    if (underWay >= atOnceMax) return
    for (const [name, line] of lines) {
      if (line.underWay >= ofOneMax) continue
      const onTurn = line.waiting.shift()
      if (onTurn === undefined) continue
      start(name, line, onTurn)
      return
    }
  }

  return {
    take(name, onTurn) {
      const line = lines.get(name) ?? { underWay: 0, waiting: [] }
      if (underWay < atOnceMax && line.underWay < ofOneMax) {
        start(name, line, onTurn)
        return true
      }
      if (line.waiting.length >= waitingMax) return false
      line.waiting.push(onTurn)
      lines.set(name, line)
      return true
    },
  }
}

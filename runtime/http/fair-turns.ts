/** Gives the turn back; may be called again, to no effect. */
export type GiveBack = () => void

/** Turns at something that takes long, shared fairly: whoever asks for many waits behind their own, not before others. */
export type FairTurns = {
  /** Calls back when the turn has come, which may be at once. False: as many of this name wait as may, and nothing is called. */
  take(name: string, onTurn: (giveBack: GiveBack) => void): boolean
}

export type FairTurnsOptions = {
  readonly atOnceMax: number
  /** Of one name at once; less than all, so that another need not wait for the longest of them. */
  readonly ofOneMax: number
  /** Of one name. */
  readonly waitingMax: number
}

type Line = { underWay: number; readonly waiting: ((giveBack: GiveBack) => void)[] }

export function createFairTurns({ atOnceMax, ofOneMax, waitingMax }: FairTurnsOptions): FairTurns {
  /** Names with a turn or waiting for one, the one whose turn ended last at the end. */
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
      // To the end of the order, so that the others have theirs first.
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

export type DemoSnapshot = {
  readonly elapsedMs: number
  readonly durationMs: number
  readonly eventsSent: number
  readonly repeatsSent: number
  readonly eventsPerSecond: number
  readonly windows: number
  readonly runsAllowed: number
  readonly runsRefused: number
  readonly nearestCaps: readonly {
    readonly customer: string
    readonly feature: string
    readonly used: number
    readonly limit: number
    readonly limitType: string
  }[]
}

export type DemoView = { show(snapshot: DemoSnapshot): void; end(): void }

const BAR_WIDTH = 24

/** Redraws in place on a terminal; prints one line a second elsewhere. */
export function createDemoView(output: NodeJS.WriteStream): DemoView {
  let drawnLines = 0
  return {
    show(snapshot) {
      if (!output.isTTY) {
        output.write(`${summary(snapshot)}\n`)
        return
      }
      const lines = [summary(snapshot), '', ...snapshot.nearestCaps.map(capLine)]
      if (drawnLines > 0) output.write(`\x1b[${drawnLines}A\x1b[0J`)
      output.write(`${lines.join('\n')}\n`)
      drawnLines = lines.length
    },
    end() {
      output.write('\n')
    },
  }
}

function summary(snapshot: DemoSnapshot): string {
  const seconds = (ms: number) => `${Math.round(ms / 1000)}s`
  return [
    `${seconds(snapshot.elapsedMs)}/${seconds(snapshot.durationMs)}`,
    `${count(snapshot.eventsSent)} events (${count(snapshot.eventsPerSecond)}/s)`,
    `${count(snapshot.repeatsSent)} repeats`,
    `${count(snapshot.windows)} windows`,
    `runs ${count(snapshot.runsAllowed)} allowed, ${count(snapshot.runsRefused)} refused`,
  ].join(' · ')
}

function capLine(cap: DemoSnapshot['nearestCaps'][number]): string {
  const share = Math.min(1, cap.used / cap.limit)
  const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░')
  const figures = `${count(cap.used)} / ${count(cap.limit)}`
  return `  ${cap.customer}  ${cap.feature.padEnd(11)} ${bar} ${figures.padStart(22)}  ${cap.limitType}${share >= 1 ? ' limit reached' : ''}`
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

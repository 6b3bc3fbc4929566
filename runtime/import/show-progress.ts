import type { ImportProgress } from './import-file.ts'

const BAR_CHARACTERS = 30
const BAR_INTERVAL_MS = 100
const LINE_INTERVAL_MS = 5_000

/** A bar that redraws itself on a terminal, a line every few seconds elsewhere. */
export function showProgress(progress: ImportProgress, output: NodeJS.WriteStream): { note(text: string): void; end(): void } {
  const isTerminal = output.isTTY === true
  const startedMs = performance.now()
  const draw = () => output.write(isTerminal ? `\r\x1b[2K${bar(progress, startedMs)}` : `${line(progress, startedMs)}\n`)
  const timer = setInterval(draw, isTerminal ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)
  return {
    note(text) {
      output.write(`${isTerminal ? '\r\x1b[2K' : ''}${text}\n`)
    },
    end() {
      clearInterval(timer)
      draw()
      if (isTerminal) output.write('\n')
    },
  }
}

function bar(progress: ImportProgress, startedMs: number): string {
  const filled = Math.round(partRead(progress) * BAR_CHARACTERS)
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_CHARACTERS - filled)} ${line(progress, startedMs)}`
}

function line(progress: ImportProgress, startedMs: number): string {
  const seconds = (performance.now() - startedMs) / 1_000
  const perSecond = Math.round(progress.accepted / Math.max(seconds, 0.001))
  const percent = Math.floor(partRead(progress) * 100)
  return `${percent}% read, ${progress.accepted.toLocaleString('en')} accepted, ${progress.refused.toLocaleString('en')} refused, ${perSecond.toLocaleString('en')}/s`
}

function partRead(progress: ImportProgress): number {
  return progress.bytesTotal === 0 ? 1 : progress.bytesRead / progress.bytesTotal
}

import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { type Implementation, takeImplementations } from './implementations.ts'

/** Closes a run with a list of what ran and what did not, and why, so that a green line cannot hide a suite that was left out. */
export default class SuitesReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = ['', 'Suites and implementations']
    for (const project of ['unit', 'contracts', 'simulation', 'crash', 'faults', 'fuzz', 'e2e', 'browser', 'long', 'containers']) {
      const ofProject = modules.filter((module) => module.project.name === project)
      if (ofProject.length === 0) {
        lines.push(`  ${project.padEnd(10)} did not run: not asked for, or there is none`)
        continue
      }
      lines.push(`  ${project.padEnd(10)} ${tally(ofProject.flatMap(testsOf))}`)
      if (project === 'unit') continue
      for (const module of ofProject) lines.push(`    ${nameOf(module).padEnd(28)} ${tally(testsOf(module))}`)
    }
    lines.push(...skipped(modules), ...implementations(takeImplementations()))
    console.log(lines.join('\n'))
  }
}

const SKIPS_SHOWN_MAX = 40

function skipped(modules: readonly TestModule[]): string[] {
  const reasons = modules.flatMap((module) =>
    testsOf(module)
      .filter((test) => test.result().state === 'skipped')
      .map((test) => ({ module, reason: noteOf(test) ?? titledReason(test) ?? 'no reason given' })),
  )
  const lines = [...Map.groupBy(reasons, ({ module, reason }) => `${nameOf(module)}: ${reason}`)].map(
    ([where, tests]) => `    ${where} (${tests.length} tests)`,
  )
  return lines.length === 0 ? ['  Nothing was skipped.'] : ['  Skipped:', ...lines.slice(0, SKIPS_SHOWN_MAX)]
}

function implementations(reported: readonly Implementation[]): string[] {
  const ran = reported.flatMap(({ name, version }) => (version === null ? [] : [`${name} (${version})`]))
  const missing = reported.flatMap(({ name, missing: reason }) => (reason === null ? [] : [`${name}: ${reason}`]))
  const lines = [`  Ran on: ${ran.join(', ') || 'nothing that has a version'}`]
  return missing.length === 0 ? lines : [...lines, '  Not run:', ...missing.map((each) => `    ${each}`)]
}

function noteOf(test: TestCase): string | undefined {
  const result = test.result()
  return result.state === 'skipped' ? result.note : undefined
}

/** The reason of a group that is skipped as a whole, which takes no note: its title ends with `(not run: …)`. */
function titledReason(test: TestCase): string | undefined {
  for (let group = test.parent; group.type === 'suite'; group = group.parent) {
    const reason = /\(not run: (.+)\)$/s.exec(group.name)?.[1]
    if (reason !== undefined) return reason
  }
  return undefined
}

function testsOf(module: TestModule): TestCase[] {
  return [...module.children.allTests()]
}

function tally(tests: readonly TestCase[]): string {
  const count = (state: string) => tests.filter((test) => test.result().state === state).length
  const parts = [`${count('passed')} passed`]
  if (count('failed') > 0) parts.push(`${count('failed')} failed`)
  if (count('skipped') > 0) parts.push(`${count('skipped')} skipped`)
  return parts.join(', ')
}

/** `event-log-lmdb` of test/contracts/event-log-lmdb.test.ts. */
function nameOf(module: TestModule): string {
  return (module.relativeModuleId.split('/').at(-1) ?? module.moduleId).replace(/\.test\.ts$/, '')
}

/** The server answered or kept something else than the sender's record has. Ends the run. */
export class Difference extends Error {
  constructor(where: string, expected: unknown, found: unknown) {
    super(`${where}\n    expected  ${textOf(expected)}\n    found     ${textOf(found)}`)
    this.name = 'Difference'
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

import { AnsweredProblem } from '../../schemas/http/problem.ts'

/** 409: what is to be made is there already. */
export function refuseConflict(kind: string, key: string, members: object = {}): never {
  const detail = `${kind} ${key} is there already`
  throw new AnsweredProblem({ type: 'urn:tollgate:problem:conflict', title: 'Conflict', status: 409, detail, code: 'conflict', ...members })
}

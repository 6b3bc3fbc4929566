import { measureDecisions } from '../decision-load.ts'
import { withServer } from '../measured-server.ts'
import type { BenchPart } from '../part.ts'

export const decisionsPart: BenchPart = {
  name: 'decisions',
  about: 'decisions and reservations over HTTP beside an empty route of the same server; latency at half load',
  run: (context) => withServer(context, (server) => measureDecisions(server, context)),
}

import { Link } from '@tanstack/react-router'
import { Link2 } from 'lucide-react'
import type { Shape } from '../api/client.ts'
import { Badge } from '../parts/badge.tsx'
import { Card } from '../parts/card.tsx'

/** The document's place in the chain of hashes, and where the log was cut. */
export function ProofCard({ invoice }: { invoice: Shape<'Invoice'> }) {
  const { contentHash, previousHash, customer, lines } = invoice
  const traced = lines.find(({ trace }) => trace !== undefined)?.trace
  return (
    <Card
      title="Proof"
      actions={
        contentHash === null ? null : (
          <Badge tone="info">
            <Link2 className="icon icon-s" aria-hidden /> chained
          </Badge>
        )
      }
    >
      <dl className="pairs">
        <dt>Content</dt>
        <dd>
          <code title={contentHash ?? undefined}>{short(contentHash)}</code>
        </dd>
        <dt>Before it</dt>
        <dd>
          <code title={previousHash ?? undefined}>{previousHash === null ? 'the first' : short(previousHash)}</code>
        </dd>
        {traced === undefined ? null : (
          <>
            <dt>Cut-off</dt>
            <dd>
              {traced.offsetTo.toLocaleString('en-GB')} of partition {traced.partition}
            </dd>
          </>
        )}
        <dt>Ledger</dt>
        <dd>
          <Link to="/customers/$key" params={{ key: customer } as never} search={{ tab: 'ledger' } as never}>
            Entries of the customer
          </Link>
        </dd>
      </dl>
    </Card>
  )
}

function short(hash: string | null): string {
  return hash === null ? '–' : hash.length <= 14 ? hash : `${hash.slice(0, 8)}…${hash.slice(-4)}`
}

import type { Shape } from '../api/client.ts'
import { Badge, type Tone } from '../parts/badge.tsx'

type Status = Shape<'Invoice'>['status']
const SHOWN: Readonly<Record<Status, { readonly tone: Tone; readonly label: string }>> = {
  draft: { tone: 'plain', label: 'draft' },
  finalised: { tone: 'info', label: 'final' },
  paid: { tone: 'ok', label: 'paid' },
  nothingDue: { tone: 'ok', label: 'nothing due' },
  uncollectible: { tone: 'bad', label: 'uncollectible' },
  void: { tone: 'line', label: 'void' },
}

export function InvoiceStatus({ status }: { status: Status }) {
  const { tone, label } = SHOWN[status]
  return (
    <Badge tone={tone} hasDot>
      {label}
    </Badge>
  )
}

import { AuditTable } from '../audit/audit-table.tsx'

/** What was changed of this customer, and by whom. */
export function ActivityCard({ customer }: { customer: string }) {
  return <AuditTable title="Activity" filter={{ objectType: 'customer', object: customer }} />
}

import { useQuery } from '@tanstack/react-query'
import { ShieldCheck, ShieldX } from 'lucide-react'
import { answered, api } from '../api/client.ts'
import { CopyCurl } from '../parts/copy-button.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemView } from '../parts/problem-view.tsx'
import { SearchBox } from '../parts/search-box.tsx'
import { useAddress } from '../parts/use-address.ts'
import { AuditTable } from './audit-table.tsx'

/** Who did that? Every change of what is set up, chained by hash. */
export function Audit() {
  const [address, change] = useAddress()
  const check = useQuery({
    queryKey: ['audit-check'],
    queryFn: () => answered(api.GET('/v1/audit/check', {})),
    enabled: false,
    retry: false,
  })
  const { actor, objectType, object } = address
  const filter = {
    ...(actor === undefined ? {} : { actor }),
    ...(objectType === undefined ? {} : { objectType }),
    ...(object === undefined ? {} : { object }),
  }
  return (
    <>
      <PageHead title="Audit log" sub="Every change of what is set up: who, from where, before and after.">
        <CopyCurl path={`/v1/audit?${new URLSearchParams(filter)}`} />
        <button type="button" className="button" disabled={check.isFetching} onClick={() => void check.refetch()}>
          <ShieldCheck className="icon" aria-hidden /> {check.isFetching ? 'Checking…' : 'Check the chain'}
        </button>
      </PageHead>
      {check.error === null ? null : <ProblemView error={check.error} />}
      {check.data === undefined ? null : check.data.brokenAt === null ? (
        <div className="callout callout-ok" role="status">
          <ShieldCheck className="icon" aria-hidden /> The chain holds: {check.data.entries} entries are as they were written.
        </div>
      ) : (
        <div className="callout callout-bad" role="alert">
          <ShieldX className="icon" aria-hidden /> The chain is broken at entry {check.data.brokenAt}: it is not as it was written, or is
          missing.
        </div>
      )}
      <AuditTable
        title="Changes"
        filter={filter}
        actions={
          <div className="filters">
            <SearchBox label="By" value={actor ?? ''} onChange={(value) => change({ actor: value })} />
            <SearchBox label="What" value={objectType ?? ''} onChange={(value) => change({ objectType: value })} />
            <SearchBox label="Which" value={object ?? ''} onChange={(value) => change({ object: value })} />
          </div>
        }
      />
    </>
  )
}

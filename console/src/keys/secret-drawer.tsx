import { KeyRound } from 'lucide-react'
import type { Shape } from '../api/client.ts'
import { CopyButton } from '../parts/copy-button.tsx'
import { Drawer } from '../parts/drawer.tsx'

/** The secret, shown this once, with a call to try it. */
export function SecretDrawer({ made, onClose }: { made: Shape<'CreateKeyAnswer'>; onClose: () => void }) {
  const call = `curl -s "${location.origin}/v1/meters" -H "Authorization: Bearer ${made.key}"`
  return (
    <Drawer title={`Key ${made.name}`} label={`Key ${made.name}`} onClose={onClose}>
      <div className="callout callout-warn">
        <KeyRound className="icon" aria-hidden />
        <div>This is shown once: only its hash is kept. Store it now.</div>
      </div>
      <pre className="pre" tabIndex={0} role="region" aria-label="The secret">
        {made.key}
      </pre>
      <div className="row">
        <CopyButton text={made.key} label="Copy the key" />
        <CopyButton text={call} label="Copy a test call" />
      </div>
    </Drawer>
  )
}

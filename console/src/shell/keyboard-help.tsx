import { Drawer } from '../parts/drawer.tsx'
import { ROOMS } from './rooms.ts'

const GENERAL = [
  ['Find or do anything', 'Ctrl K'],
  ['Search of the list', '/'],
  ['Next row, row before', 'j k'],
  ['Open the row', 'Enter'],
  ['These keys', '?'],
] as const

export function KeyboardHelp({ onClose }: { onClose: () => void }) {
  const rows = [...GENERAL, ...ROOMS.map(({ title, letter }) => [title, `g ${letter}`] as const)]
  return (
    <Drawer title="Keys of the keyboard" label="Keys of the keyboard" onClose={onClose}>
      <dl className="keys">
        {rows.map(([does, keys]) => (
          <Row key={does} does={does} keys={keys} />
        ))}
      </dl>
      <p className="small muted">Single keys can be switched off in your menu at the top right.</p>
    </Drawer>
  )
}

function Row({ does, keys }: { does: string; keys: string }) {
  return (
    <>
      <dt>{does}</dt>
      <dd>
        {keys.split(' ').map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dd>
    </>
  )
}

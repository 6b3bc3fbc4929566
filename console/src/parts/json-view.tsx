/** JSON with names, texts and numbers told apart. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  return (
    <pre className="pre" tabIndex={0} role="region" aria-label={label}>
      {tokens(JSON.stringify(value, null, 2) ?? 'null').map(({ text, kind, at }) =>
        kind === null ? (
          text
        ) : (
          <span key={at} className={kind}>
            {text}
          </span>
        ),
      )}
    </pre>
  )
}

type Token = { readonly text: string; readonly kind: 'key' | 'text' | 'number' | null; readonly at: number }

function tokens(json: string): readonly Token[] {
  const found: Token[] = []
  let end = 0
  for (const match of json.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g)) {
    if (match.index > end) found.push({ text: json.slice(end, match.index), kind: null, at: end })
    const name = match[2] !== undefined
    const text = match[1] ?? match[0]
    found.push({ text, kind: match[1] === undefined ? 'number' : name ? 'key' : 'text', at: match.index })
    end = match.index + text.length
  }
  return [...found, { text: json.slice(end), kind: null, at: end }]
}

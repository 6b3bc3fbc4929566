import { createHash } from 'node:crypto'

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884 }
:target { background: #fc83 }
details { border-bottom: 1px solid #8884; padding: .3rem 0 }
details > :not(summary) { margin-left: 1.2rem }
summary { cursor: pointer }
code, pre { font: .9em ui-monospace, monospace }
pre { overflow-x: auto; background: #8881; padding: .5rem }
.method { display: inline-block; min-width: 4rem; font-weight: bold }
`

/** A page of ours has no script, loads nothing, and stands in no frame; its one style is named by its hash. */
export const PAGE_CSP = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${html(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

/** Text with `code` in backticks and [links](docs/errors) to pages of ours. */
export function html(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
  return escaped
    .split('`')
    .map((part, index) => (index % 2 === 0 ? part : `<code>${part}</code>`))
    .join('')
}

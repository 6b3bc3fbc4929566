import { ERROR_REFERENCE_INTRO, type ErrorEntry, type ErrorSection, errorReference } from '../../schemas/http/error-reference.ts'

/** The error reference as a page of `/docs`: no script, each code an anchor. */
export function errorPage(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tollgate: errors</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884 }
tr:target { background: #fc83 }
</style>
</head>
<body>
<p><a href="../docs">API reference</a></p>
<h1>Errors</h1>
<p>${html(ERROR_REFERENCE_INTRO)}</p>
${errorReference().map(sectionHtml).join('\n')}
</body>
</html>
`
}

function sectionHtml({ title, entries }: ErrorSection): string {
  return `<h2>${html(title)}</h2>
<table>
<tr><th>code</th><th>status</th><th>what it means</th><th>next move</th></tr>
${entries.map(rowHtml).join('\n')}
</table>`
}

function rowHtml({ code, status, means, next }: ErrorEntry): string {
  return `<tr id="${code}"><td><code>${code}</code></td><td>${status ?? 'at start'}</td><td>${html(means)}</td><td>${html(next)}</td></tr>`
}

/** Text with `code` in backticks. */
function html(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
  return escaped
    .split('`')
    .map((part, index) => (index % 2 === 0 ? part : `<code>${part}</code>`))
    .join('')
}

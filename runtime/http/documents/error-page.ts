import { ERROR_REFERENCE_INTRO, type ErrorEntry, type ErrorSection, errorReference } from '../../../schemas/http/error-reference.ts'
import { html, htmlPage } from './html-page.ts'

/** The error reference as a page of `/docs`: no script, each code an anchor. */
export function errorPage(): string {
  const body = `<p><a href="../docs">API reference</a></p>
<h1>Errors</h1>
<p>${html(ERROR_REFERENCE_INTRO)}</p>
${errorReference().map(sectionHtml).join('\n')}`
  return htmlPage('Tollgate: errors', body)
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

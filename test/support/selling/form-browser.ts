/** A browser without JavaScript: it keeps cookies, follows redirects, and sends the form that it was shown. */
export type FormBrowser = {
  get(url: string): Promise<ShownPage>
  /** Sends the form of the page that was shown last, with what is typed over its values. */
  submit(typed: Readonly<Record<string, string>>): Promise<ShownPage>
}

export type ShownPage = { readonly status: number; readonly url: string; readonly html: string; readonly headers: Headers }

const REDIRECTS_MAX = 10

export function createFormBrowser(headers: Readonly<Record<string, string>> = {}): FormBrowser {
  const cookies = new Map<string, string>()
  let last: ShownPage | null = null

  async function go(url: string, init: RequestInit): Promise<ShownPage> {
    let [next, request] = [url, init]
    for (let n = 0; n < REDIRECTS_MAX; n++) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await fetch(next, {
        ...request,
        redirect: 'manual',
        headers: { ...headers, ...request.headers, ...(cookie !== '' && { cookie }) },
      })
      for (const set of answer.headers.getSetCookie()) {
        const [pair = ''] = set.split(';')
        cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
      }
      const location = answer.headers.get('location')
      if (answer.status < 300 || answer.status >= 400 || location === null) {
        last = { status: answer.status, url: next, html: await answer.text(), headers: answer.headers }
        return last
      }
      await answer.arrayBuffer()
      next = new URL(location, next).toString()
      request = { method: 'GET' }
    }
    throw new Error(`${url} redirects without end`)
  }

  return {
    get: (url) => go(url, { method: 'GET' }),
    submit(typed) {
      if (last === null) throw new Error('no page was shown')
      const fields = new URLSearchParams()
      for (const [, name = '', value = ''] of last.html.matchAll(/<input [^>]*name="([^"]*)"[^>]*value="([^"]*)"/g))
        fields.set(name, decoded(value))
      for (const [name, value] of Object.entries(typed)) fields.set(name, value)
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      return go(last.url, { method: 'POST', headers, body: fields.toString() })
    },
  }
}

export function decoded(html: string): string {
  return html.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
}

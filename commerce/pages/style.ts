import { readFileSync } from 'node:fs'
import type { HttpApp } from '../../schemas/http/common.ts'
import { STYLE_PATH } from './page.ts'

/** The look that all pages share, and what hosted pages add to it, as one file. */
export async function styleRoutes(app: HttpApp): Promise<void> {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
  const style = ['tokens', 'base', 'parts'].map((name) => read(`../../look/${name}.css`)).join('\n') + read('pages.css')
  app.get(STYLE_PATH, { schema: { hide: true } }, async (_request, reply) =>
    reply
      .type('text/css; charset=utf-8')
      .header('cache-control', 'public, max-age=300')
      .header('x-content-type-options', 'nosniff')
      .send(style),
  )
}

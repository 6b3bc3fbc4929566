import { type Json, textOf } from './json.ts'

export type Addressed = { readonly surface: string; readonly model: string | undefined; readonly response: Json }

/** Whose interface a request is to, by its path and host; null for one that is no call of a model. */
export function surfaceOfUrl(address: string, body: Json, surface?: string): Addressed | null {
  const url = new URL(address)
  const named = surface === undefined ? byPath(url) : { surface }
  if (named === null) return null
  return { model: textOf(body.model) ?? modelInPath(decodeURIComponent(url.pathname)), response: {}, ...named }
}

/** The part behind `model` or `models`, up to a colon. */
function modelInPath(path: string): string | undefined {
  const parts = path.split('/')
  const at = parts.findIndex((part) => part === 'model' || part === 'models')
  return (at === -1 ? undefined : parts[at + 1]?.split(':')[0]) || undefined
}

function byPath({ pathname, hostname }: URL): (Pick<Addressed, 'surface'> & Partial<Pick<Addressed, 'response'>>) | null {
  const path = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
  const ends = (...names: readonly string[]) => names.some((name) => path.endsWith(name))
  if (ends('/chat/completions')) return chatOf(hostname)
  if (ends('/responses')) return { surface: hostname === 'api.x.ai' ? 'x_ai.responses' : 'openai.responses' }
  if (ends('/embeddings')) return { surface: 'openai.embeddings' }
  if (ends('/images/generations', '/images/edits')) return { surface: 'openai.images' }
  if (ends('/audio/transcriptions')) return { surface: 'openai.transcription' }
  if (ends('/v1/messages', '/anthropic/messages')) return { surface: 'anthropic.messages' }
  if (ends(':generateContent', ':streamGenerateContent')) {
    const isVertex = hostname.endsWith('aiplatform.googleapis.com')
    return { surface: 'google.generate_content', ...(isVertex ? { response: { provider: 'google.vertex' } } : {}) }
  }
  if (ends('/api/chat', '/api/generate')) return { surface: 'ollama.chat' }
  if (ends('/v2/chat')) return { surface: 'cohere.chat' }
  if (ends('/v2/rerank', '/v1/rerank')) return { surface: 'cohere.rerank' }
  return ends('/converse') ? { surface: 'aws.bedrock.converse' } : null
}

const CHAT_HOSTS: readonly (readonly [string, string])[] = [
  ...([
    ['api.openai.com', 'openai.chat'],
    ['azure.com', 'azure.chat'],
    ['api.x.ai', 'x_ai.chat'],
    ['api.groq.com', 'groq.chat'],
  ] as const),
  ...([
    ['api.mistral.ai', 'mistral.chat'],
    ['api.deepseek.com', 'deepseek.chat'],
    ['openrouter.ai', 'openrouter.chat'],
  ] as const),
]

/** Another host answers as OpenAI does; its name is the provider's. */
function chatOf(hostname: string) {
  const known = CHAT_HOSTS.find(([host]) => hostname === host || hostname.endsWith(`.${host}`))
  return known === undefined ? { surface: 'openai.chat', response: { provider: providerOfHost(hostname) } } : { surface: known[1] }
}

/** `api.together.xyz` is `together`; an address of a machine is `local`. */
function providerOfHost(hostname: string): string {
  if (hostname === 'localhost' || hostname.includes(':') || hostname.split('.').every((part) => /^\d{1,3}$/.test(part))) return 'local'
  const parts = hostname.split('.')
  return (parts.length > 2 ? parts.at(-2) : parts[0]) ?? hostname
}

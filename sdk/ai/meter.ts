import { createCallReader } from './call-reader.ts'
import { charactersIn, type Json, objectOf } from './json.ts'
import { beginCall, type MeteredCall, type MeterOptions } from './metered-call.ts'
import { isAbort, tappedStream } from './tapped-stream.ts'

/** A model of the AI SDK, of any kind and specification; told by what it can do, so that `ai` is not imported. */
type Model = { readonly modelId: string; readonly provider: string; readonly specificationVersion: string }

/**
 * The model, each of whose calls is metered, limited and priced. It stays of its own specification (AI SDK 5, 6 and 7). Put it
 * innermost: a caching middleware above it then costs nothing.
 */
export function meter<M extends Model>(model: M, options: MeterOptions): M {
  return new Proxy(model, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown
      if (typeof member !== 'function') return member
      const isCall = name === 'doGenerate' || name === 'doStream' || name === 'doEmbed' || name === 'doRerank'
      if (!isCall) return member.bind(target)
      return (call: Json) => metered(target, options, call, (limited) => (member as Call).call(target, limited))
    },
  })
}

/** All models of a provider, as its factories make them. */
export function meterProvider<P extends object>(provider: P, options: MeterOptions): P {
  const wrap = (made: unknown) => (isModel(made) ? meter(made, options) : made)
  return new Proxy(provider, {
    apply: (target, self, args) => wrap(Reflect.apply(target as (...args: unknown[]) => unknown, self, args)),
    get(target, name) {
      const member = Reflect.get(target, name) as unknown
      return typeof member === 'function' ? (...args: unknown[]) => wrap(Reflect.apply(member, target, args)) : member
    },
  })
}

function isModel(made: unknown): made is Model {
  return typeof made === 'object' && made !== null && 'specificationVersion' in made && 'modelId' in made
}

type Call = (options: Json) => PromiseLike<Json>

async function metered(model: Model, options: MeterOptions, call: Json, run: Call): Promise<Json> {
  const prompt = call.prompt ?? call.values ?? call.text ?? call.documents
  const surface = surfaceOf(model, call)
  const size = { promptBytes: bytesIn(prompt), outputMax: outputMaxIn(call) }
  const begun = await beginCall(options, { model: model.modelId, surface }, size)
  const reader = createCallReader(surface, { provider: model.provider })
  let result: Json
  try {
    result = await run(limited(call, begun))
  } catch (error) {
    begun.end(failed(error, surface, model))
    throw error
  }
  const { stream } = result
  if (stream instanceof ReadableStream) {
    const tapped = tappedStream<Json>(stream, {
      each: (part) => reader.chunk(part),
      end: (how) => begun.end(reader.end(how, charactersIn(prompt))),
    })
    return { ...result, stream: tapped }
  }
  begun.end(wholeCall(reader, result, call, model))
  return result
}

/** An answer that could not be used (an object that did not parse) has its usage all the same. */
function failed(error: unknown, surface: string, model: Model) {
  const { usage } = objectOf(error)
  if (isAbort(error) || typeof usage !== 'object' || usage === null) return null
  const reader = createCallReader(surface, { provider: model.provider })
  reader.answer({ usage })
  const data = reader.end('done')
  return data === null ? null : ({ ...data, status: 'error' } as const)
}

function wholeCall(reader: ReturnType<typeof createCallReader>, result: Json, call: Json, model: Model) {
  reader.answer(result)
  const told = reader.end('done')
  if (told === null) return null
  const provider = { provider: model.provider }
  const { images, segments, durationInSeconds, audio } = result
  if (Array.isArray(images)) return { ...told, surface: 'ai-sdk.image', response: { ...provider, images: images.length } }
  if (Array.isArray(segments)) {
    const length = durationInSeconds === undefined ? {} : { durationInSeconds }
    return { ...told, surface: 'ai-sdk.transcription', usage: {}, response: { ...provider, ...length } }
  }
  if (audio !== undefined) return { ...told, surface: 'ai-sdk.speech', usage: { characters: charactersIn(call.text) }, response: provider }
  return told
}

function surfaceOf({ specificationVersion }: Model, call: Json): string {
  return Array.isArray(call.values) ? 'ai-sdk.embedding' : `ai-sdk.${specificationVersion}`
}

/** No byte-level tokenizer makes more tokens of a text than it has bytes. */
function bytesIn(prompt: unknown): number {
  return prompt === undefined ? 0 : new TextEncoder().encode(JSON.stringify(prompt)).length
}

function outputMaxIn(call: Json): number | undefined {
  return typeof call.maxOutputTokens === 'number' ? call.maxOutputTokens + thinkingIn(call) : undefined
}

/** The AI SDK adds Anthropic's thinking budget to the maximum. */
function thinkingIn(call: Json): number {
  const { type, budgetTokens } = objectOf(objectOf(objectOf(call.providerOptions).anthropic).thinking)
  return type === 'enabled' && typeof budgetTokens === 'number' ? budgetTokens : 0
}

function limited(call: Json, { outputMax }: MeteredCall): Json {
  if (outputMax === undefined || !('prompt' in call) || !Array.isArray(call.prompt)) return call
  const most = Math.max(outputMax - thinkingIn(call), 1)
  return typeof call.maxOutputTokens === 'number' && call.maxOutputTokens <= most ? call : { ...call, maxOutputTokens: most }
}

import { count, decimalText, objectOf } from '../told-values.ts'
import { modalitiesIn } from './openai-chat.ts'
import { detailsOf, imageUsage, responsesUsage } from './openai-responses.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

export const openaiEmbeddings: Surface = (usage, response) => [
  { provider: providerIn(response, 'openai'), sides: 'any', input: count(usage.prompt_tokens ?? usage.input_tokens) },
]

export const openaiImages: Surface = (usage, response) => [
  {
    ...imageUsage(usage, providerIn(response, 'openai')),
    quantities: { images: count(response.images) },
    words: { service_tier: tierIn(response, usage) },
  },
]

/** Billed by tokens or by length, in one field. */
export const openaiTranscription: Surface = (usage, response) => {
  const told = responsesUsage(usage, response, providerIn(response, 'openai'))
  return [{ ...told, sides: 'any', quantities: { audio_seconds: decimalText(usage.seconds) } }]
}

/** Tells the cached tokens by modality. */
export const openaiRealtime: Surface = (usage, response) => {
  const cached = detailsOf(usage, 'input').cached_tokens_details
  const told = responsesUsage(usage, response, providerIn(response, 'openai'))
  return [cached === undefined || cached === null ? told : { ...told, cacheReadBy: modalitiesIn(objectOf(cached)) }]
}

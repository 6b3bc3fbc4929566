import { type CanonicalUsage, canonicalUsage, UNREADABLE } from './canonical-usage.ts'
import { aiSdk, aiSdkEmbedding, aiSdkImage, aiSdkSpeech, aiSdkTranscription, aiSdkV2 } from './surfaces/ai-sdk.ts'
import { anthropicMessages } from './surfaces/anthropic-messages.ts'
import { langchain, litellm } from './surfaces/frameworks.ts'
import { googleGenerateContent, googleInteractions } from './surfaces/google.ts'
import { deepseekChat, openaiChat } from './surfaces/openai-chat.ts'
import { openaiEmbeddings, openaiImages, openaiRealtime, openaiTranscription } from './surfaces/openai-media.ts'
import { openaiResponses } from './surfaces/openai-responses.ts'
import * as other from './surfaces/other-chats.ts'
import type { Surface } from './surfaces/surface.ts'
import { objectOf } from './told-values.ts'

/**
 * The usage of one provider call, as it came, in our words: the call's, then those of calls that were made inside it. Null for a
 * surface that is not known. The convention goes by surface and is never guessed from the payload. Pure.
 */
export function surfaceUsage(surface: string, usage: unknown, response: unknown): readonly CanonicalUsage[] | null {
  const read = Object.hasOwn(SURFACES, surface) ? SURFACES[surface] : undefined
  if (read === undefined) return null
  if (usage === null || usage === undefined) return [NONE]
  if (typeof usage !== 'object' || Array.isArray(usage)) return [UNREADABLE]
  const calls = read(objectOf(usage), objectOf(response)).map(canonicalUsage)
  // One bad number makes the whole usage unreadable, also that of calls inside the call.
  return calls.some(({ usage_warning }) => usage_warning === UNREADABLE.usage_warning) ? [UNREADABLE] : calls
}

const NONE: CanonicalUsage = { usage_basis: 'none' }

const SURFACES: Readonly<Record<string, Surface>> = {
  'openai.chat': openaiChat('openai'),
  'azure.chat': openaiChat('azure.ai.openai'),
  'openai.responses': openaiResponses,
  'openai.embeddings': openaiEmbeddings,
  'openai.images': openaiImages,
  'openai.transcription': openaiTranscription,
  'openai.realtime': openaiRealtime,
  'anthropic.messages': anthropicMessages,
  'google.generate_content': googleGenerateContent,
  'google.interactions': googleInteractions,
  'aws.bedrock.converse': other.bedrockConverse,
  'mistral.chat': other.mistralChat,
  'cohere.chat': other.cohereChat,
  'cohere.rerank': other.cohereRerank,
  'deepseek.chat': deepseekChat,
  'x_ai.chat': other.xaiChat,
  'x_ai.responses': other.xaiResponses,
  'groq.chat': openaiChat('groq'),
  'ollama.chat': other.ollamaChat,
  'openrouter.chat': other.openrouterChat,
  'ai-sdk.v4': aiSdk,
  'ai-sdk.v3': aiSdk,
  'ai-sdk.v2': aiSdkV2,
  'ai-sdk.embedding': aiSdkEmbedding,
  'ai-sdk.image': aiSdkImage,
  'ai-sdk.speech': aiSdkSpeech,
  'ai-sdk.transcription': aiSdkTranscription,
  langchain,
  litellm,
}

/** What the surfaces are named, for messages and documentation. */
export const SURFACE_NAMES: readonly string[] = Object.keys(SURFACES)

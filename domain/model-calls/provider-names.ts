/**
 * OpenTelemetry's name of a provider (`gen_ai.provider.name`) for the names that clients, hosts and tracers use; an unknown one
 * stays as it is, in lower case. A name like `anthropic.messages` is read up to its first dot.
 */
export function providerName(name: string): string {
  const lower = name.toLowerCase().trim()
  return NAMES[lower] ?? NAMES[lower.split('.', 1)[0] ?? ''] ?? (OPEN_TELEMETRY.has(lower) ? lower : (lower.split('.', 1)[0] ?? lower))
}

const OPEN_TELEMETRY: ReadonlySet<string> = new Set([
  'gcp.gemini',
  'gcp.vertex_ai',
  'gcp.gen_ai',
  'aws.bedrock',
  'azure.ai.openai',
  'azure.ai.inference',
  'ibm.watsonx.ai',
])

const NAMES: Readonly<Record<string, string>> = {
  ...named('openai', 'openai', 'openai-chat'),
  ...named('anthropic', 'anthropic', 'claude'),
  ...named(
    'gcp.gemini',
    'google',
    'gemini',
    'gcp.gemini',
    'google-generative-ai',
    'google_genai',
    'google.generative-ai',
    'google_ai_studio',
  ),
  ...named(
    'gcp.vertex_ai',
    'google.vertex',
    'google.vertex.chat',
    'vertex',
    'vertexai',
    'vertex_ai',
    'gcp.vertex_ai',
    'google-vertex',
    'googlevertex',
  ),
  ...named('aws.bedrock', 'aws.bedrock', 'bedrock', 'amazon-bedrock', 'amazon_bedrock', 'aws', 'bedrock_converse'),
  ...named('azure.ai.openai', 'azure', 'azure-openai', 'azure_openai', 'azure.ai.openai', 'az.ai.openai'),
  ...named('azure.ai.inference', 'azure.ai.inference', 'az.ai.inference', 'azure_ai'),
  ...named('mistral_ai', 'mistral', 'mistralai', 'mistral_ai'),
  ...named('x_ai', 'xai', 'x_ai', 'x-ai', 'grok'),
  ...named('cohere', 'cohere', 'cohere_chat', 'cohere-v2'),
  ...named('ibm.watsonx.ai', 'watsonx', 'ibm.watsonx.ai'),
  ...named('vercel', 'vercel', 'gateway', 'ai-gateway'),
}

function named(provider: string, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, provider]))
}

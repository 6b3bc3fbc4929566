import { readFileSync } from 'node:fs'
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers'
import { parse } from 'yaml'
import { reportImplementation } from '../implementations.ts'

/** A server in a container for a test file, or why there is none. */
export type ContainerForTest =
  | { readonly container: StartedTestContainer; readonly image: string; readonly missing: null; discard(): Promise<void> }
  | { readonly container: null; readonly image: string; readonly missing: string; discard(): Promise<void> }

/**
 * Starts the image where a Docker engine runs. Without one the test file is reported as not run by name, also in CI, where only
 * the servers of deploy/dev are required. An engine that does not start the image is a failure.
 */
export async function containerForTest(
  name: string,
  image: string,
  prepare: (container: GenericContainer) => GenericContainer,
): Promise<ContainerForTest> {
  const missing = await whyNoEngine()
  if (missing !== null) {
    reportImplementation({ name: `${name} in a container`, version: null, missing })
    return { container: null, image, missing, discard: async () => undefined }
  }
  const container = await prepare(new GenericContainer(image)).withStartupTimeout(START_MS_MAX).start()
  reportImplementation({ name: `${name} in a container`, version: image, missing: null })
  return { container, image, missing: null, discard: () => container.stop().then(() => undefined) }
}

/** The image that deploy/compose.yaml runs, so that the deployed version is the tested one. */
export function composeImage(service: string): string {
  const { services } = parse(readFileSync(new URL('../../../deploy/compose.yaml', import.meta.url), 'utf8'), { merge: true })
  return String(services[service].image)
}

const START_MS_MAX = 180_000

async function whyNoEngine(): Promise<string | null> {
  try {
    await getContainerRuntimeClient()
    return null
  } catch (error) {
    return `no Docker engine: ${error instanceof Error ? error.message : String(error)}`
  }
}

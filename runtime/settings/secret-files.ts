import { readFileSync } from 'node:fs'

/** Secrets from files, as orchestrators hand them over: `DATABASE_URL_FILE=/run/secrets/database-url` stands for `DATABASE_URL`. */
export function withSecretFiles(environment: Environment, secretNames: readonly string[]): FilledEnvironment {
  const filled: Record<string, string | undefined> = { ...environment }
  const problems: string[] = []
  for (const name of secretNames) {
    const fileName = `${name}_FILE`
    const path = environment[fileName]
    delete filled[fileName]
    if (path === undefined || path === '') continue
    if ((environment[name] ?? '') !== '') {
      problems.push(`${name} and ${fileName} are both set; set one of them`)
      continue
    }
    const value = textIn(path)
    if (value === null) problems.push(`${fileName} names a file that cannot be read, was ${JSON.stringify(path)}`)
    else if (value === '') problems.push(`${fileName} names an empty file, was ${JSON.stringify(path)}`)
    else filled[name] = value
  }
  return { environment: filled, problems }
}

type Environment = Readonly<Record<string, string | undefined>>
type FilledEnvironment = { readonly environment: Environment; readonly problems: readonly string[] }

function textIn(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}

/** The version after `current`: a bump of it, or the one named, which must be `x.y.z`. Null for anything else. */
export function versionAfter(current: string, wanted: string): string | null {
  if (VERSION.test(wanted)) return wanted
  const [major = 0, minor = 0, patch = 0] = current.split('.').map(Number)
  switch (wanted) {
    case 'major':
      return `${major + 1}.0.0`
    case 'minor':
      return `${major}.${minor + 1}.0`
    case 'patch':
      return `${major}.${minor}.${patch + 1}`
    default:
      return null
  }
}

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/
const UNRELEASED = '## Unreleased\n'

/** What is unreleased gets the version's own heading. Null when nothing is unreleased: there is nothing to release. */
export function releasedChangelog(changelog: string, version: string, day: string): string | null {
  const start = changelog.indexOf(UNRELEASED)
  if (start < 0) return null
  const rest = changelog.slice(start + UNRELEASED.length)
  const end = rest.indexOf('\n## ')
  if ((end < 0 ? rest : rest.slice(0, end)).trim() === '') return null
  return `${changelog.slice(0, start)}${UNRELEASED}\n## ${version} (${day})\n${rest}`
}

/** A manifest or lock file with another version of its own. Only these lines change, so that the diff shows nothing else. */
export function withVersion(json: string, from: string, to: string): string {
  const line = (version: string) => `"version": "${version}"`
  const own = json.indexOf('"packages": {\n    "": {')
  // A lock file says the version of its project twice: on top, and as the package without a name.
  const places = own < 0 ? [0] : [own, 0]
  return places.reduce((text, place) => {
    const at = text.indexOf(line(from), place)
    return at < 0 ? text : text.slice(0, at) + line(to) + text.slice(at + line(from).length)
  }, json)
}

/** Whether the image is built from this file, by the lines of `.dockerignore` that take files back in. */
export function isInImage(path: string, dockerignore: string): boolean {
  const takenIn = dockerignore.split('\n').flatMap((line) => (line.startsWith('!') ? [line.slice(1).trim()] : []))
  return takenIn.some((name) => path === name || path.startsWith(`${name}/`)) && !path.endsWith('.test.ts')
}

/** The data of an event as meters read it. Anything but a JSON object, which ingest does not accept, reads as `NO_DATA`. */
export function parsedData(text: string): object {
  try {
    const data: unknown = JSON.parse(text)
    return typeof data === 'object' && data !== null ? data : NO_DATA
  } catch {
    return NO_DATA
  }
}

export const NO_DATA: object = {}

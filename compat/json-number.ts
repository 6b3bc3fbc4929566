/**
 * A decimal as a JSON number with its own digits, which a float might not hold: `JSON.stringify` writes it as it is. The type says
 * what a client reads.
 */
export function jsonNumber(decimal: string | bigint): number {
  return (JSON as unknown as { rawJSON(text: string): number }).rawJSON(String(decimal))
}

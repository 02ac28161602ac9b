/** What one transaction changes: its locks make workers wait. */
export const CHUNK_EVENTS = 200
const CHUNK_BYTES = 8_000_000

/** Cuts a list of bodies into pieces of a bounded number and size, at least one each. */
export function inBatches<T extends { body_bytes: number }> (bodies: readonly T[]): T[][] {
  const batches: T[][] = []
  let bytes = 0
  for (const body of bodies) {
    const batch = batches.at(-1)
    if (batch === undefined || batch.length === CHUNK_EVENTS || bytes + body.body_bytes > CHUNK_BYTES) {
      batches.push([body])
      bytes = body.body_bytes
    } else {
      batch.push(body)
      bytes += body.body_bytes
    }
  }
  return batches
}

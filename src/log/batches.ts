/** The most that one batch may hold. */
export interface BatchLimits { items: number, bytes: number }

/**
 * Cuts items into batches within limits, in order, so that a batch of bodies fits in memory. An item larger than
 * `limits.bytes` gets a batch of its own.
 */
export async function * inBatches<Item> (
  items: Iterable<Item> | AsyncIterable<Item>, limits: BatchLimits, bytesOf: (item: Item) => number
): AsyncGenerator<Item[]> {
  let batch: Item[] = []
  let bytes = 0
  for await (const item of items) {
    const size = bytesOf(item)
    if (batch.length === limits.items || (batch.length > 0 && bytes + size > limits.bytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(item)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** How much is taken together at most. */
export interface BatchLimits { items: number, bytes: number }

/** Gathers items into batches within limits, in order; an item beyond the bytes comes alone. */
export async function * inBatches<Item extends { bytes: number }> (items: AsyncIterable<Item>, limits: BatchLimits): AsyncGenerator<Item[]> {
  let batch: Item[] = []
  let bytes = 0
  for await (const item of items) {
    if (batch.length === limits.items || (batch.length > 0 && bytes + item.bytes > limits.bytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(item)
    bytes += item.bytes
  }
  if (batch.length > 0) yield batch
}

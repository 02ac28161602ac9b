import { identify } from '../../src/providers/voucherify/identify.ts'
import { append, type Appendable } from '../../src/log/append.sql.ts'
import { closePool, databaseOf, openPool } from '../../src/postgres/database.ts'
import { countShards, shardOf } from '../../src/log/shards.sql.ts'
import type { Unsent } from './deliveries.ts'

/** As the appender's batches are at most. */
const BATCH_EVENTS = 512
/** Appends under way at once; each owns every other shard, so they never wait for each other. */
const LANES = 2

/**
 * Stores deliveries in a prepared ledger as its API would, but without HTTP. Holds a few batches in memory,
 * however many there are.
 * @returns how many events were stored
 * @throws Error where one cannot be read or is there already: a log that lacks one would make every figure about it a lie
 */
export async function fill (url: string, deliveries: Iterable<Pick<Unsent, 'body'>>): Promise<number> {
  const pool = openPool({ url, poolSize: LANES, name: 'bench fill' })
  const db = databaseOf(pool)
  try {
    const shards = await countShards(db)
    const lanes = Array.from({ length: LANES }, () => ({ batch: [] as Appendable[], underWay: Promise.resolve() }))
    let stored = 0
    const flush = async (lane: typeof lanes[number]): Promise<void> => {
      const { batch } = lane
      if (batch.length === 0) return
      lane.batch = []
      await lane.underWay
      lane.underWay = append(db, batch).then(answers => {
        if (answers.some(({ outcome }) => outcome !== 'accepted')) throw new Error('a delivery to fill a log with is not new to it')
        stored += answers.length
      })
      // Awaited at the next flush; until then it must not count as unhandled.
      lane.underWay.catch(() => {})
    }
    for (const { body } of deliveries) {
      const event = appendableOf(body, shards)
      const lane = lanes[event.shard % LANES] as typeof lanes[number]
      lane.batch.push(event)
      if (lane.batch.length === BATCH_EVENTS) await flush(lane)
    }
    await Promise.all(lanes.map(flush))
    await Promise.all(lanes.map(async lane => { await lane.underWay }))
    return stored
  } finally {
    await closePool(pool)
  }
}

function appendableOf (body: Buffer, shards: number): Appendable {
  const identified = identify(body)
  if ('reason' in identified) throw new Error(`a delivery to fill a log with cannot be used: ${identified.detail}`)
  const { shard_key, ...event } = identified
  return { ...event, provider: 'voucherify', shard: shardOf(shard_key, shards) }
}

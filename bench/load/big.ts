import { projections } from '../../src/projections/index.ts'
import { catchUp } from '../../src/engine/catch-up.ts'
import type { Instant } from '../../src/ledger/instant.ts'
import { voucherify } from '../../src/providers/voucherify/provider.ts'
import { append, type Appendable } from '../../src/log/append.sql.ts'
import { readLogSize } from '../../src/audit/log.sql.ts'
import { closePool, databaseOf, openPool, type Db } from '../../src/postgres/database.ts'
import { restore } from '../../src/log/restore.sql.ts'
import { countShards, shardOf } from '../../src/log/shards.sql.ts'

/** A body to store, and when it was first stored where that matters; else now. */
export interface Storable { body: Buffer, recorded_at?: Instant }

/** Bodies that are first stored now. */
export function * bodiesOf (of: Iterable<Buffer>): Generator<{ body: Buffer }> {
  for (const body of of) yield { body }
}

/** What a log was filled with. */
export interface Filled { events: number, bytes: number }

const BATCH_EVENTS = 512
/** One batch is made while another one is stored. Each has a connection, and so have the two lanes of `catchUp`. */
const BATCHES_IN_FLIGHT = 2
/** As the service takes it. */
const STEP_EVENTS = 2000

/** Uses the product's own store, as the login, in this process. */
export async function withDb<T> (url: string, action: (db: Db) => Promise<T>): Promise<T> {
  const pool = openPool({ url, poolSize: BATCHES_IN_FLIGHT, name: 'bench' })
  try {
    return await action(databaseOf(pool))
  } finally {
    await closePool(pool)
  }
}

/**
 * Stores events without HTTP, through the product's own identity and append: no signature, no request. Streams: memory does not grow with
 * what is stored.
 * @throws Error unless each was stored, as a new event
 */
export async function fill (url: string, bodies: Iterable<Storable>): Promise<Filled> {
  return await withDb(url, async db => {
    const before = await readLogSize(db)
    const filled = await appendAll(db, bodies)
    const stored = Number(await readLogSize(db) - before)
    if (stored !== filled.events) throw new Error(`${filled.events} events were appended, and the log grew by ${stored}`)
    return filled
  })
}

async function appendAll (db: Db, bodies: Iterable<Storable>): Promise<Filled> {
  const shards = await countShards(db)
  const filled: Filled = { events: 0, bytes: 0 }
  const inFlight = new Set<Promise<void>>()
  let failed: Error | undefined
  for (const batch of batchesOf(bodies, shards)) {
    const storing: Promise<void> = store(db, batch).catch((error: unknown) => { failed ??= error as Error }).finally(() => { inFlight.delete(storing) })
    inFlight.add(storing)
    filled.events += batch.length
    filled.bytes += batch.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0)
    if (inFlight.size >= BATCHES_IN_FLIGHT) await Promise.race(inFlight)
    if (failed !== undefined) break
  }
  await Promise.all(inFlight)
  if (failed !== undefined) throw failed
  return filled
}

function * batchesOf (bodies: Iterable<Storable>, shards: number): Generator<Appendable[]> {
  let batch: Appendable[] = []
  for (const { body, recorded_at } of bodies) {
    const identified = voucherify.identify(body)
    if ('reason' in identified) throw new Error(`a body cannot be stored: ${identified.detail}`)
    batch.push({ ...identified, provider: voucherify.name, shard: shardOf(identified.shard_key, shards), ...(recorded_at === undefined ? {} : { recorded_at }) })
    if (batch.length === BATCH_EVENTS) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

async function store (db: Db, batch: readonly Appendable[]): Promise<void> {
  const answers = await (batch[0]?.recorded_at === undefined ? append : restore)(db, batch)
  const other = answers.find(({ outcome }) => outcome !== 'accepted')
  if (other !== undefined) throw new Error(`an event that should be new is a ${other.outcome} of ${other.shard}:${other.position}`)
}

/**
 * Brings the projections up to the log as an import does, in steps as large as a worker's.
 * @throws Error when they do not get there
 */
export async function project (url: string): Promise<void> {
  await withDb(url, projectWith)
}

export async function projectWith (db: Db): Promise<void> {
  const lagging = await catchUp(db, projections, { batch: STEP_EVENTS, wait_ms: 0 })
  if (lagging.length > 0) throw new Error(`shard ${lagging[0]?.shard} was not projected: ${lagging[0]?.cause ?? 'another worker holds it'}`)
}

/** @throws Error unless every customer has the points that were given to them, and nobody else has any */
export async function assertBalances (url: string, expected: ReadonlyMap<string, bigint>): Promise<void> {
  await withDb(url, async db => {
    const rows = await db.selectFrom('cards').select(['customer_id', 'balance']).execute()
    const wrong = rows.find(({ customer_id, balance }) => expected.get(customer_id ?? '') !== balance)
    if (wrong !== undefined) throw new Error(`customer ${wrong.customer_id} has ${wrong.balance} points, and was given ${expected.get(wrong.customer_id ?? '') ?? 'none'}`)
    if (rows.length !== expected.size) throw new Error(`${rows.length} cards were made, of ${expected.size}`)
  })
}

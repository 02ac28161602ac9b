import { knownProviders, type Providers } from '../providers/index.ts'
import type { RedactionExtent } from '../providers/provider.ts'
import type { ProjectionKey } from '../engine/checkpoints.sql.ts'
import type { Db, ProjectionSchema, Trx } from '../postgres/database.ts'
import {
  listProjectionSchemas, lockCheckpoints, lockErasures, readKept, readQuarantine, writeErasure,
  type Kept, type RedactedEvent, type FoldedUpTo
} from './erasure.sql.ts'
import { lookAt, takeBuildLock } from '../engine/rebuild/projection-schema.sql.ts'
import { withRetries } from '../postgres/retry.ts'
import { inBatches } from '../log/batches.ts'
import { findBodies } from '../log/read.sql.ts'
import { countShards } from '../log/shards.sql.ts'
import { concernsRow, redactRow } from './quarantined.ts'
import { erasureEvent, type ErasureOrder } from './record.ts'
import { CHUNK, refold, type Changed } from './refold.ts'
import { createSearch, eventKeyOf, type SearchedEvent, type Search } from './search.ts'

export type { ErasureOrder } from './record.ts'

/** What an erasure found and did. */
export interface Erasure {
  /** True if nothing in the ledger is about this customer: the id may be mistyped. */
  unknown: boolean
  /** Events and quarantine rows that may concern the customer. */
  searched: { events: number, quarantined: number }
  /** Those that contain, or contained, personal data. */
  erased: { events: number, quarantined: number }
  /** Ids of the events that record the erasure, one for each transaction. */
  recorded: string[]
}

export interface EraseOptions {
  projections: readonly ProjectionKey[]
  /** Whose events can be read; absent: those of all known providers. */
  providers?: Providers
  /** Count, and write nothing. */
  dryRun?: boolean
  /** Called before each transaction with its number, from 0, and the number of all. */
  onChunk?: (done: number, of: number) => void | Promise<void>
}

/** What holds something personal: an event, or a quarantine row. */
type Item = { body_bytes: number, mentions: boolean } & ({ entry: SearchedEvent } | { quarantine_id: bigint })

/** For a deadlock, or a lock that was taken. */
const TRIES = 5
/** Events of the customer that arrive meanwhile are erased, too, but not without end. */
const ROUNDS = 3

/**
 * Removes the personal data of a customer from the stored events, the quarantine and the projections, in transactions
 * of a bounded size, while everything else runs. Each leaves log and projections consistent; after a kill, the next run
 * does the rest.
 */
export async function eraseCustomer (db: Db, order: ErasureOrder, options: EraseOptions): Promise<Erasure> {
  const search = await createSearch(db, order.customer_id, options.providers ?? knownProviders)
  const erasure: Erasure = { unknown: false, searched: { events: 0, quarantined: 0 }, erased: { events: 0, quarantined: 0 }, recorded: [] }
  const shards = await countShards(db)
  for (let round = 0; round < ROUNDS; round++) {
    await search.lookAgain(db)
    const { items, rows } = await findPersonal(db, search)
    erasure.searched = { events: search.entries.size, quarantined: rows }
    erasure.unknown = !search.exists && search.entries.size === 0 && rows === 0
    const count = { events: items.filter(item => 'entry' in item).length, quarantined: items.filter(item => 'quarantine_id' in item).length }
    if (options.dryRun === true || items.length === 0) return options.dryRun === true ? { ...erasure, erased: count } : erasure
    erasure.recorded.push(...await eraseItems(db, search, order, items, shards, options))
    erasure.erased = { events: erasure.erased.events + count.events, quarantined: erasure.erased.quarantined + count.quarantined }
  }
  return erasure
}

/** Everything that still contains personal data. Learns first from the quarantine how the customer is named. */
async function findPersonal (db: Db, search: Search): Promise<{ items: Item[], rows: number }> {
  const items: Item[] = []
  let rows = 0
  for await (const { provider, body } of quarantineRows(db)) {
    const sent = { provider, body: body.toString('utf8') }
    if (search.concerns(sent)) search.learn(sent)
  }
  await search.lookAgain(db)
  for await (const batch of inBatches(search.entries.values(), CHUNK, ({ body_bytes }) => body_bytes)) {
    const bodies = new Map((await findBodies(db, batch)).map(found => [eventKeyOf(found), found.body]))
    for (const entry of batch) {
      const body = bodies.get(eventKeyOf(entry)) ?? ''
      if (redacted(search, entry, body, 'all') !== body) items.push({ entry, body_bytes: entry.body_bytes, mentions: redacted(search, entry, body, 'mentions') !== body })
    }
  }
  for await (const row of quarantineRows(db)) {
    if (concernsRow(search, row)) rows++
    if (redactRow(search, row, 'all') === undefined) continue
    items.push({ quarantine_id: row.quarantine_id, body_bytes: row.body.length, mentions: redactRow(search, row, 'mentions') !== undefined })
  }
  return { items, rows }
}

async function * quarantineRows (db: Db): AsyncGenerator<Kept> {
  for (let after = 0n; ;) {
    const page = await readQuarantine(db, after)
    yield * page
    const last = page.at(-1)
    if (last === undefined) return
    after = last.quarantine_id
  }
}

/**
 * If one transaction is not enough, bodies that only mention the customer are redacted first: as long as the customer's
 * own objects keep the names, a run after a kill still recognises these.
 */
async function eraseItems (db: Db, search: Search, order: ErasureOrder, items: readonly Item[], shards: number, options: EraseOptions): Promise<string[]> {
  const whole = await chunksOf(items, 'all')
  const mentions = whole.length === 1 ? [] : await chunksOf(items.filter(item => item.mentions), 'mentions')
  const chunks = [...mentions, ...whole]
  const recorded: string[] = []
  for (const [index, { chunk, extent }] of chunks.entries()) {
    await options.onChunk?.(index, chunks.length)
    const event_id = await withRetries(async () => await db.transaction().execute(async trx => await eraseChunk(trx, search, order, chunk, extent, shards, options.projections)), { tries: TRIES })
    if (event_id !== undefined) recorded.push(event_id)
  }
  return recorded
}

async function chunksOf (items: readonly Item[], extent: RedactionExtent): Promise<Array<{ chunk: Item[], extent: RedactionExtent }>> {
  const chunks = []
  for await (const chunk of inBatches(items, CHUNK, ({ body_bytes }) => body_bytes)) chunks.push({ chunk, extent })
  return chunks
}

/**
 * One transaction.
 * @returns the id of the event that records it; undefined where someone else was faster with all of it
 */
async function eraseChunk (trx: Trx, search: Search, order: ErasureOrder, chunk: readonly Item[], extent: RedactionExtent, shards: number, projections: readonly ProjectionKey[]): Promise<string | undefined> {
  await lockErasures(trx)
  // Tables that a rebuild creates from here on would not be cleaned.
  await takeBuildLock(trx)
  const projectionSchemas: Array<[name: ProjectionSchema, foldedUpTo: FoldedUpTo]> = []
  for (const name of await listProjectionSchemas(trx)) {
    await lookAt(trx, name)
    projectionSchemas.push([name, await lockCheckpoints(trx, projections)])
  }
  // No step is running now: this finds what was projected since the last search.
  await search.look(trx)
  const { changed, events } = await redactEvents(trx, search, chunk.flatMap(item => 'entry' in item ? [item.entry] : []), extent)
  const rows = (await readKept(trx, chunk.flatMap(item => 'quarantine_id' in item ? [item.quarantine_id] : [])))
    .flatMap(row => redactRow(search, row, extent) ?? [])
  if (events.length + rows.length === 0) return undefined
  for (const [name, foldedUpTo] of projectionSchemas) {
    await lookAt(trx, name)
    await refold(trx, search, changed, foldedUpTo)
  }
  const erasure = erasureEvent(order, events, rows, shards, new Date())
  // Last, since from here on appends to that shard wait for this transaction.
  await writeErasure(trx, erasure, events, rows)
  for (const { entry, after } of changed) search.entries.set(eventKeyOf(entry), { ...entry, ...search.shownBy(after) })
  return erasure.event_id
}

/** The bodies are read again: another erasure may have been at them since they were found. */
async function redactEvents (trx: Trx, search: Search, entries: readonly SearchedEvent[], extent: RedactionExtent): Promise<{ changed: Changed[], events: RedactedEvent[] }> {
  const stored = new Map((await findBodies(trx, entries)).map(found => [eventKeyOf(found), found.body]))
  const changed: Changed[] = []
  const events: RedactedEvent[] = []
  for (const entry of entries) {
    const before = stored.get(eventKeyOf(entry)) ?? ''
    const body = redacted(search, entry, before, extent)
    if (body === before) continue
    events.push({ event_id: entry.event_id, subject: entry.subject, body })
    changed.push({ entry, before: search.factsIn({ ...entry, body: before }), after: search.factsIn({ ...entry, body }) })
  }
  return { changed, events }
}

function redacted (search: Search, { provider }: SearchedEvent, body: string, extent: RedactionExtent): string {
  return search.redact({ provider, body }, extent) ?? body
}

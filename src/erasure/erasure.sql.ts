import { sql } from 'kysely'
import { append, type Appendable } from '../log/append.sql.ts'
import type { ProjectionKey } from '../engine/checkpoints.sql.ts'
import type { Db, ProjectionSchema, Trx } from '../postgres/database.ts'
import { BATCH_BYTES, type EventKey } from '../log/read.sql.ts'
import { binaryColumn, jsonArray } from '../postgres/binary-arrays.ts'
import { unnest } from '../postgres/unnest.ts'
import type { EventRow, QuarantineRow, MovementObservationRow, WaitingRow } from '../postgres/tables.ts'

/**
 * The type of the event that records an erasure. The guards let through what it lists
 * (migrations/functions/guards.sql).
 */
export const ERASED_TYPE = 'ledger.customer.erased'

/** The columns of a stored event that an erasure reads. */
export type Found = Pick<EventRow, 'shard' | 'position' | 'event_id' | 'subject' | 'provider' | 'recorded_at' | 'test' | 'fact_digest' | 'body_bytes' | 'body'>

const PAGE_EVENTS = 500

/** The texts that bodies are searched for. `strings`: a whole JSON string, as JSON writes it; `parts`: anywhere. */
export interface Sought { customer_id: string | null, strings: readonly string[], parts: readonly string[] }

/**
 * A page of a shard: its last position, and the events in it that belong to a customer or whose body contains a sought
 * text. No index covers bodies, so this reads all of them. It splits them at the quotes: a search for each id by
 * itself, or one automaton for all, took 10 times as long with 70 ids (110 µs a body of 5 kB, however many ids there
 * are).
 */
export async function searchShard (
  db: Db, page: { shard: number, after: bigint, upTo: bigint }, sought: Sought
): Promise<{ reached: bigint | null, events: Found[] }> {
  // In JSON inside a string, the closing quote is escaped.
  const strings = sought.strings.flatMap(text => [text, `${text}\\`])
  const { rows } = await sql<Found & { reached: bigint | null }>`
    with page as materialized (
      select e.*, sum(e.body_bytes) over (order by e.position) - e.body_bytes as bytes_before
      from (
        select shard, position, event_id, subject, provider, type, customer_id, recorded_at, test, fact_digest, body_bytes, body
        from ledger.events
        where shard = ${page.shard} and position > ${page.after} and position <= ${page.upTo}
        order by position
        limit ${PAGE_EVENTS}
      ) e
    ), bounded as materialized (
      select * from page where bytes_before < ${BATCH_BYTES}
    )
    select reach.reached, m.shard, m.position, m.event_id, m.subject, m.provider, m.recorded_at, m.test, m.fact_digest, m.body_bytes, m.body
    from (select max(position) as reached from bounded) reach
    left join (
      select * from bounded
      where type <> ${ERASED_TYPE} and (
        customer_id = ${sought.customer_id}
        or exists (select from string_to_table(body::text, '"') s where s collate "C" = any (${strings}::text[]))
        or exists (select from unnest(${sought.parts}::text[]) p where strpos(body::text, p) > 0))
    ) m on true
    order by m.position`.execute(db)
  const found = rows.filter(row => (row.position as bigint | null) !== null)
  return { reached: rows[0]?.reached ?? null, events: found.map(({ reached: _, ...event }) => event) }
}

/** What the projections know about a customer: further texts and ids to search for. */
export interface KnownOf { exists: boolean, texts: string[], cards: string[], orders: string[] }

export async function readKnownOf (db: Db, customer_id: string): Promise<KnownOf> {
  const { rows: [row] } = await sql<{ profiles: number, texts: string[], cards: string[], orders: string[] }>`
    select (select count(*) from projection.customers c where c.customer_id = ${customer_id})::integer as profiles,
           array(select t from projection.customers c cross join lateral unnest(array[c.name, c.email]) t where c.customer_id = ${customer_id} and t is not null) as texts,
           array(select h.card_id from projection.holdings h where h.customer_id = ${customer_id}) as cards,
           array(select distinct s.order_id from projection.order_states s where s.customer_id = ${customer_id}) as orders`.execute(db)
  return { exists: row?.profiles === 1, texts: row?.texts ?? [], cards: row?.cards ?? [], orders: row?.orders ?? [] }
}

/** The columns of a quarantine row that an erasure reads. */
export type Kept = { quarantine_id: bigint } & Pick<QuarantineRow, 'provider' | 'body' | 'detail' | 'discard_reason'>

const PAGE_ROWS = 200

/**
 * Quarantine rows of any state in order of their ids, a page at a time: at least one, and no more than fit in memory.
 */
export async function readQuarantine (db: Db, after: bigint): Promise<Kept[]> {
  const { rows } = await sql<Kept>`
    select quarantine_id, provider, body, detail, discard_reason
    from (
      select q.*, sum(octet_length(body)) over (order by quarantine_id) - octet_length(body) as bytes_before
      from ledger.quarantine q
      where quarantine_id > ${after}
      order by quarantine_id
      limit ${PAGE_ROWS}
    ) page
    where bytes_before < ${BATCH_BYTES}
    order by quarantine_id`.execute(db)
  return rows
}

export async function readKept (trx: Trx, ids: readonly bigint[]): Promise<Kept[]> {
  const { rows } = await sql<Kept>`
    select quarantine_id, provider, body, detail, discard_reason from ledger.quarantine
    where quarantine_id = any (${ids.map(String)}::bigint[])
    order by quarantine_id
    for update`.execute(trx)
  return rows
}

/** Serialises erasures: two that redact one body would each write back what the other took out. */
export async function lockErasures (trx: Trx): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('ledger.erase'))`.execute(trx)
}

/**
 * How far the projections of a projection schema have folded the log, and which events of them wait with a parked key:
 * what was folded into its rows.
 */
export interface FoldedUpTo {
  /** By projection and shard; a projection that the generation does not have is absent. */
  positions: ReadonlyMap<string, ReadonlyMap<number, bigint>>
  /** Keys that wait, by projection and place. */
  waiting: ReadonlySet<string>
}

/** The rows were folded by rules of another version: this code cannot fold them without the erased data. */
export class ErasureNeedsRebuild extends Error {
  override name = 'ErasureNeedsRebuild'
  readonly code = 'projection_outdated'
}

/**
 * Locks the checkpoints of all shards in the session's projection schema until the transaction ends: no step runs
 * meanwhile, and no step that read a body before can still write. Locks in the order in which steps do: by shard, the
 * first projection first.
 * @throws ErasureNeedsRebuild
 */
export async function lockCheckpoints (trx: Trx, projections: readonly ProjectionKey[]): Promise<FoldedUpTo> {
  const { rows } = await sql<{ projection: string, version: number, shard: number, position: bigint }>`
    select c.projection, c.version, c.shard, c.position
    from checkpoints c
    order by c.shard, array_position(${projections.map(({ name }) => name)}::text[], c.projection), c.projection, c.version
    for update`.execute(trx)
  const positions = new Map<string, Map<number, bigint>>()
  for (const { projection, version, shard, position } of rows) {
    if (!projections.some(({ name, version: current }) => name === projection && current === version)) {
      throw new ErasureNeedsRebuild(`The rows of ${projection} are of version ${version} of its rules, which this version of the ledger does not know: rebuild it (or abandon its rebuild), then erase.`)
    }
    positions.set(projection, (positions.get(projection) ?? new Map<number, bigint>()).set(shard, position))
  }
  const { rows: waiting } = await sql<WaitingRow>`select projection, key, shard, position from waiting`.execute(trx)
  return { positions, waiting: new Set(waiting.map(row => waitingPlace(row))) }
}

/** The key of a waiting event in a set. */
export function waitingPlace ({ projection, key, shard, position }: WaitingRow): string {
  return `${projection} ${shard}:${position} ${key}`
}

/** Replaces the reasons of parked keys that could quote an erased body. */
export async function forgetReasons (trx: Trx, events: readonly EventKey[]): Promise<void> {
  await sql`
    update parked p
    set reason = 'the event was erased; the next redrive states the reason again'
    from ${unnest(events, { event_id: 'text', subject: 'text' })}
    where p.event_id = r.event_id and p.subject = r.subject`.execute(trx)
}

/** The projection schemas: the live one, and one that a rebuild fills. */
export async function listProjectionSchemas (trx: Trx): Promise<ProjectionSchema[]> {
  const { rows } = await sql<{ name: ProjectionSchema }>`select nspname as name from pg_namespace where nspname in ('projection', 'projection_build') order by nspname`.execute(trx)
  return rows.map(({ name }) => name)
}

/** Deletes the row of a customer, to be folded again. */
export async function dropCustomer (trx: Trx, customer_id: string): Promise<void> {
  await sql`delete from customers where customer_id = ${customer_id}`.execute(trx)
}

/** Deletes orders and their states, to be folded again. */
export async function dropOrders (trx: Trx, order_ids: readonly string[]): Promise<void> {
  await sql`delete from order_states where order_id = any (${order_ids}::text[])`.execute(trx)
  await sql`delete from orders where order_id = any (${order_ids}::text[])`.execute(trx)
}

/** Replaces the details of observations. */
export async function replaceDetails (trx: Trx, observations: ReadonlyArray<Pick<MovementObservationRow, 'movement_id' | 'card_id' | 'event_id' | 'subject' | 'details'>>): Promise<void> {
  await sql`
    update movement_observations s
    set details = r.details::json
    from ${unnest(observations, { movement_id: 'text', card_id: 'text', event_id: 'text', subject: 'text', details: 'text' })}
    where s.movement_id = r.movement_id and s.card_id = r.card_id and s.event_id = r.event_id and s.subject = r.subject`.execute(trx)
}

export type RedactedEvent = EventKey & { body: string }
export interface RedactedRow { quarantine_id: bigint, body: string, detail: string, discard_reason: string | null }

/** Appends an erasure event, and redacts what it lists (`ledger.erase`). Not for the service's role. */
export async function writeErasure (trx: Trx, erasure: Appendable, events: readonly RedactedEvent[], rows: readonly RedactedRow[]): Promise<void> {
  const [appended] = await append(trx, [erasure])
  if (appended?.outcome !== 'accepted') throw new Error(`the erasure event ${erasure.event_id} is not new: ${appended?.outcome}`)
  const kept = rows.map(row => ({ ...row, body: Buffer.from(row.body) }))
  await sql`
    select ledger.erase(
      ${erasure.event_id},
      ${binaryColumn('text', events, 'event_id')}, ${binaryColumn('text', events, 'subject')}, ${jsonArray(events.map(({ body }) => body))},
      ${binaryColumn('bigint', kept, 'quarantine_id')}, ${binaryColumn('bytea', kept, 'body')},
      ${binaryColumn('text', kept, 'detail')}, ${binaryColumn('text', kept, 'discard_reason')})`.execute(trx)
}

/** Whether this login may erase: only the owner of the ledger may. */
export async function mayErase (db: Db): Promise<boolean> {
  const { rows: [row] } = await sql<{ may: boolean }>`select has_function_privilege('ledger.erase'::regproc, 'execute') as may`.execute(db)
  return row?.may === true
}

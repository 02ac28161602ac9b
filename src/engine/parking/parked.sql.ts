import { sql, type RawBuilder } from 'kysely'
import type { Instant } from '../../ledger/instant.ts'
import type { Db, Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { ParkedRow, ParkingCode } from '../../postgres/tables.ts'

/**
 * True if anything is parked in the transaction's projection schema, whatever it is: a column for a statement that
 * reads events.
 */
export const ANY_PARKED = sql<{ any_parked: boolean }>`(select exists (select from parked)) as any_parked`

/** A key to park, with the event at fault and the reason; the database adds the time. */
export type Parking = Pick<ParkedRow, 'projection' | 'key' | 'shard' | 'position' | 'event_id' | 'subject' | 'code' | 'reason'>

/** A key to park because of an event: `error` says why the event cannot be decoded or folded. */
export function parkingOf (
  projection: string, key: string, shard: number, { event_id, subject, position }: Pick<Parking, 'event_id' | 'subject' | 'position'>,
  code: Parking['code'], error: unknown
): Parking {
  return { projection, key, shard, position, event_id, subject, code, reason: reasonOf(error) }
}

/**
 * The text of an error for a list. A database's text can be long, and contain a character that text columns cannot
 * store.
 */
export function reasonOf (error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\u0000', '').slice(0, 500)
}

/** An event that waits under a parked key. */
export interface Waiting { projection: string, key: string, shard: number, position: bigint }

/** Of a row that people read: since when it lacks events because they wait to be folded; null if it lacks none. */
export interface Standstill { parked_at: Instant | null }

/**
 * The parked keys of a projection, as the `with` of a read: `standstill (key, parked_at)`. A `with` locks the table
 * before the projection's own tables, in the order of a switch to a rebuilt projection schema; in another order the two
 * could deadlock.
 */
export function standstill (projection: string): RawBuilder<unknown> {
  return sql`standstill as (select p.key, p.parked_at from parked p where p.projection = ${projection})`
}

/** A parked key as it is listed. */
export interface ParkedKey extends Parking { parked_at: string, tries: number, last_tried_at: string, waiting: bigint }

/**
 * Returns which of some keys are parked, and keeps them parked until the transaction ends: a redrive of them waits, and
 * then sees the waiting events that this transaction adds.
 */
export async function holdParked (trx: Trx, projection: string, keys: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ key: string }>`
    select key from parked
    where projection = ${projection} and key = any (${keys}::text[])
    order by key
    for share`.execute(trx)
  return new Set(rows.map(({ key }) => key))
}

/**
 * Parks keys. A key that another step has parked keeps that step's reason. If a redrive holds the key, this waits for
 * it, and parks the key again if the redrive has released it: so the redrive cannot miss waiting events that are added
 * next.
 */
export async function park (trx: Trx, parkings: readonly Parking[]): Promise<void> {
  if (parkings.length === 0) return
  await sql`
    insert into parked (projection, key, shard, position, event_id, subject, code, reason)
    select projection, key, shard, position, event_id, subject, code, reason
    from ${unnest(parkings, {
      projection: 'text',
      key: 'text',
      shard: 'smallint',
      position: 'bigint',
      event_id: 'text',
      subject: 'text',
      code: 'text',
      reason: 'text'
    })}
    order by projection, key collate "C"
    on conflict (projection, key) do update set key = excluded.key`.execute(trx)
}

/** Adds events that wait under their parked keys. */
export async function addWaiting (trx: Trx, waiting: readonly Waiting[]): Promise<void> {
  if (waiting.length === 0) return
  await sql`
    insert into waiting (projection, key, shard, position)
    select projection, key, shard, position
    from ${unnest(waiting, { projection: 'text', key: 'text', shard: 'smallint', position: 'bigint' })}
    on conflict do nothing`.execute(trx)
}

/** Locks a parked key: steps that meet it wait. @returns the parked key; undefined if it is not parked (any more) */
export async function lockParked (trx: Trx, projection: string, key: string): Promise<ParkedRow | undefined> {
  const row = await trx.selectFrom('parked').selectAll().where('projection', '=', projection).where('key', '=', key).forUpdate().executeTakeFirst()
  return row as ParkedRow | undefined
}

/** A waiting event, with the other keys under which parts of it wait. */
export interface WaitingEvent { shard: number, position: bigint, other_keys: string[] }

/** The events that wait under a parked key, in order. */
export async function readWaiting (trx: Trx, projection: string, key: string): Promise<WaitingEvent[]> {
  const { rows } = await sql<WaitingEvent>`
    select w.shard, w.position,
           array(select o.key from waiting o
                 where o.projection = w.projection and o.shard = w.shard and o.position = w.position and o.key <> w.key) as other_keys
    from waiting w
    where w.projection = ${projection} and w.key = ${key}
    order by w.shard, w.position`.execute(trx)
  return rows
}

/** Releases a parked key and its waiting events. */
export async function unpark (trx: Trx, projection: string, key: string): Promise<void> {
  await trx.deleteFrom('waiting').where('projection', '=', projection).where('key', '=', key).execute()
  await trx.deleteFrom('parked').where('projection', '=', projection).where('key', '=', key).execute()
}

/** Records that a redrive of a parked key failed, and why. */
export async function parkedStill (trx: Trx, projection: string, key: string, why: { code: ParkingCode, reason: string }): Promise<void> {
  await sql`
    update parked
    set code = ${why.code}, reason = ${why.reason}, tries = tries + 1, last_tried_at = clock_timestamp()
    where projection = ${projection} and key = ${key}`.execute(trx)
}

const PAGE_KEYS = 500

/** All parked keys, in order. Keys that are redriven or parked meanwhile do not make it skip others. */
export async function * walkParked (db: Db): AsyncGenerator<ParkedKey> {
  for (let after: ParkedKey | undefined; ;) {
    const page = await listParked(db, { after, limit: PAGE_KEYS })
    yield * page
    after = page.at(-1)
    if (after === undefined) return
  }
}

/** A page of parked keys, in order; `after` is the last key of the page before. */
async function listParked (db: Db, page: { after?: { key: string, projection: string } | undefined, limit: number }): Promise<ParkedKey[]> {
  const { after } = page
  const { rows } = await sql<ParkedKey>`
    select p.projection, p.key, p.shard, p.position, p.event_id, p.subject, p.code, p.reason, p.parked_at, p.tries, p.last_tried_at,
           (select count(*) from waiting w where w.projection = p.projection and w.key = p.key) as waiting
    from parked p
    where ${after === undefined ? sql`true` : sql`(p.key, p.projection) > (${after.key}, ${after.projection})`}
    order by p.key, p.projection
    limit ${page.limit}`.execute(db)
  return rows
}

/** How many keys are parked. */
export async function countParked (db: Db): Promise<number> {
  const { count } = await db.selectFrom('parked').select(({ fn }) => fn.countAll<bigint>().as('count')).executeTakeFirstOrThrow()
  return Number(count)
}

import { sql, type RawBuilder } from 'kysely'
import type { Db, Trx } from '../postgres/database.ts'
import { BY_INDEX, unnest } from '../postgres/unnest.ts'
import type { EventRow } from '../postgres/tables.ts'

/** What a projection needs of a stored event. */
export type StoredEvent = Pick<EventRow, 'event_id' | 'subject' | 'provider' | 'position' | 'recorded_at' | 'test' | 'fact_digest' | 'body'>

/** Of bodies as received: keeps a batch of large ones in memory, and what is made of it below V8's longest string. */
export const BATCH_BYTES = 16_000_000

/** Which events of a shard to read: up to `count` after a position. */
export interface Span { shard: number, after: bigint, count: number }

/**
 * Reads events of several shards, in order of position, up to a size of all together: the last spans may come back
 * short or empty; the first has at least one event if there is one.
 * ```sql
 * select … from ledger.events where shard = $1 and position > $2 order by position limit $3
 * ```
 * @param options.also one more column, evaluated in the same statement
 * @returns the events of each span
 */
export async function readSpans<Also extends object = object> (
  db: Db, spans: readonly Span[], { limit_bytes = BATCH_BYTES, also }: { limit_bytes?: number, also?: RawBuilder<Also> } = {}
): Promise<Array<Array<StoredEvent & Also>>> {
  const asked = spans.map(({ shard, after, count }, ordinal) => ({ ordinal, shard, after, count }))
  const { rows } = await sql<StoredEvent & Also & Pick<EventRow, 'shard'>>`
    select shard, event_id, subject, provider, position, recorded_at, test, fact_digest, body ${also === undefined ? sql`` : sql`, ${also}`}
    from (
      select e.*, sum(e.body_bytes) over (order by span.ordinal, e.position) - e.body_bytes as bytes_before
      from ${unnest(asked, { ordinal: 'integer', shard: 'smallint', after: 'bigint', count: 'integer' }, 'span')}
      cross join lateral (
        select * from ledger.events e
        where e.shard = span.shard and e.position > span.after
        order by e.position
        limit span.count
      ) e
    ) batch
    where bytes_before < ${limit_bytes}
    order by position`.execute(db)
  return spans.map(({ shard }) => rows.filter(row => row.shard === shard))
}

/** Events by shard and position, in that order. Ask for no more at once than fits in memory. */
export async function readEventsAt (trx: Trx, places: ReadonlyArray<Pick<EventRow, 'shard' | 'position'>>): Promise<Array<StoredEvent & Pick<EventRow, 'shard'>>> {
  const { rows } = await sql<StoredEvent & Pick<EventRow, 'shard'>>`
    select e.shard, e.event_id, e.subject, e.provider, e.position, e.recorded_at, e.test, e.fact_digest, e.body
    from ${unnest(places.map(({ shard, position }) => ({ shard, position })), { shard: 'smallint', position: 'bigint' }, 'p')}
    cross join lateral (select * from ledger.events e where e.shard = p.shard and e.position = p."position" ${BY_INDEX}) e
    order by e.shard, e.position`.execute(trx)
  return rows
}

/** The body of a stored event, verbatim. */
export async function findBody (db: Db, event_id: string, subject: string): Promise<string | undefined> {
  const event = await db.selectFrom('ledger.events').select('body').where('event_id', '=', event_id).where('subject', '=', subject).executeTakeFirst()
  return event?.body
}

/** The key of a stored event. */
export type EventKey = Pick<EventRow, 'event_id' | 'subject'>

/** The bodies of some stored events, verbatim. Ask for no more at once than fits in memory. */
export async function findBodies (db: Db, keys: readonly EventKey[]): Promise<Array<EventKey & Pick<EventRow, 'provider' | 'body'>>> {
  const { rows } = await sql<EventKey & Pick<EventRow, 'provider' | 'body'>>`
    select e.event_id, e.subject, e.provider, e.body
    from ${unnest(keys, { event_id: 'text', subject: 'text' }, 'k')}
    cross join lateral (select * from ledger.events e where e.event_id = k.event_id and e.subject = k.subject ${BY_INDEX}) e`.execute(db)
  return rows
}

/** Where an event is stored, and the digest of its facts. */
export type Located = Pick<EventRow, 'shard' | 'position' | 'fact_digest'>

/** Looks events up by their keys, in one query. @returns one answer a key, in order */
export async function locateEvents (db: Db, keys: readonly EventKey[]): Promise<Array<Located | undefined>> {
  const asked = keys.map(({ event_id, subject }, ordinal) => ({ ordinal, event_id, subject }))
  const { rows } = await sql<Located & { ordinal: number }>`
    select k.ordinal, e.shard, e.position, e.fact_digest
    from ${unnest(asked, { ordinal: 'integer', event_id: 'text', subject: 'text' }, 'k')}
    cross join lateral (
      select s.shard, s.position, s.fact_digest from ledger.events s where s.event_id = k.event_id and s.subject = k.subject ${BY_INDEX}
    ) e`.execute(db)
  const located = new Array<Located | undefined>(keys.length).fill(undefined)
  for (const { ordinal, ...place } of rows) located[ordinal] = place
  return located
}

const LISTED = [
  'event_id', 'subject', 'provider', 'shard', 'position', 'type', 'customer_id', 'occurred_at', 'recorded_at', 'test',
  'send_out_id', 'sender_kind', 'sender_id', 'group_id', 'project_id', 'channel', 'body_digest', 'fact_digest', 'chain', 'erased_by'
] as const
export type ListedEvent = Pick<EventRow, typeof LISTED[number]>

/** The log in order of shard and position, a page at a time. `after` names the last event of the page before. */
export async function listEvents (
  db: Db, page: { shard?: number | undefined, after?: { shard: number, position: bigint } | undefined, limit: number }
): Promise<ListedEvent[]> {
  const { shard, after, limit } = page
  return await db.selectFrom('ledger.events').select(LISTED)
    .$if(shard !== undefined, query => query.where('shard', '=', shard as number))
    .$if(after !== undefined, query => query.where(sql<boolean>`(shard, position) > (${after?.shard}::smallint, ${after?.position}::bigint)`))
    .orderBy('shard').orderBy('position').limit(limit)
    .execute()
}

/** The events that carry an id, one for each subject, a page at a time. */
export async function findEvents (db: Db, event_id: string, page: { after?: string | undefined, limit: number }): Promise<Array<ListedEvent & Pick<EventRow, 'body'>>> {
  return await db.selectFrom('ledger.events').select([...LISTED, 'body'])
    .where('event_id', '=', event_id)
    .$if(page.after !== undefined, query => query.where('subject', '>', page.after as string))
    .orderBy('subject').limit(page.limit)
    .execute()
}

import { sql, type Selectable } from 'kysely'
import type { Db } from '../../postgres/database.ts'
import type { EventRow, QuarantineRow } from '../../postgres/tables.ts'

export interface Quarantinable {
  /** Who sent it. */
  provider: string
  body: Buffer
  /** The headers that matter to a later reading. */
  headers: Record<string, string>
  reason: string
  detail: string
  /** With `subject`: the stored event that a conflicting delivery contradicts. */
  event_id?: string
  subject?: string
}

/** A bigint of PostgreSQL. */
export const MAX_QUARANTINE_ID = 9_223_372_036_854_775_807n

/** `open`: waits. `redriven`: its event is stored. `discarded`: a person said that it is not wanted. */
export type QuarantineState = Selectable<QuarantineRow>['state']

/**
 * A row that was set aside, and how it stands: it waits, waits anew after it was redriven once, or a person discarded
 * it before.
 */
export interface SetAside { quarantine_id: bigint, fate: 'waits' | 'reopened' | 'discarded' }

/**
 * Keeps an authentic delivery that cannot be used yet, byte for byte. The same bytes from the same provider are the
 * same row, seen once more. A discarded row stays discarded, with its reason. An open row takes the newest reason. A
 * row that was redriven but cannot be used any more opens again, since nobody decided against it.
 * @returns the row, after the commit
 */
export async function quarantine (db: Db, delivery: Quarantinable): Promise<SetAside> {
  // The lookup in `returning` sees the row as it was before this statement.
  const { rows: [row] } = await sql<{ quarantine_id: bigint, state: QuarantineState, state_before: QuarantineState | null }>`
    insert into ledger.quarantine as kept (provider, body, headers, reason, detail, event_id, subject)
    values (${delivery.provider}, ${delivery.body}, ${JSON.stringify(delivery.headers)}, ${delivery.reason}, ${observed(delivery.detail)}, ${delivery.event_id ?? null}, ${delivery.subject ?? null})
    on conflict (provider, body_digest) do update set
      times_seen = kept.times_seen + 1,
      last_seen_at = clock_timestamp(),
      (state, reason, detail, event_id, subject, decided_at, decided_by, discard_reason) = (
        select kept.state, kept.reason, kept.detail, kept.event_id, kept.subject, kept.decided_at, kept.decided_by, kept.discard_reason
        where kept.state = 'discarded'
        union all
        -- A detail quotes what came in: of a row that was erased it would bring that back.
        select 'open', excluded.reason, case when kept.erased_by is null then excluded.detail else kept.detail end, excluded.event_id, excluded.subject, null, null, null
        where kept.state <> 'discarded')
    returning quarantine_id, state, (select b.state from ledger.quarantine b where b.provider = kept.provider and b.body_digest = kept.body_digest) as state_before`.execute(db)
  if (row === undefined) throw new Error('the quarantine returned no row')
  return { quarantine_id: row.quarantine_id, fate: fateOf(row.state, row.state_before) }
}

/** What `quarantine` would come to, without writing; the id is undefined where there would be a new row. */
export async function foreseeQuarantine (db: Db, { provider, body }: Pick<Quarantinable, 'provider' | 'body'>): Promise<Partial<SetAside> & Pick<SetAside, 'fate'>> {
  const before = await db.selectFrom('ledger.quarantine').select(['quarantine_id', 'state'])
    .where('provider', '=', provider).where('body_digest', '=', sql<Buffer>`sha256(${body}::bytea)`).executeTakeFirst()
  if (before === undefined) return { fate: 'waits' }
  return { quarantine_id: before.quarantine_id, fate: fateOf(before.state === 'discarded' ? 'discarded' : 'open', before.state) }
}

function fateOf (state: QuarantineState, before: QuarantineState | null): SetAside['fate'] {
  if (state === 'discarded') return 'discarded'
  return before === 'redriven' ? 'reopened' : 'waits'
}

const LISTED = ['quarantine_id', 'state', 'reason', 'detail', 'event_id', 'subject', 'first_seen_at', 'last_seen_at', 'times_seen', 'decided_at', 'decided_by', 'discard_reason'] as const

/** A row without its bytes. `shard` and `position` are those of the stored event that it names, where there is one. */
export type ListedQuarantine = Pick<Selectable<QuarantineRow>, typeof LISTED[number]> & {
  body_bytes: number
  shard: number | null
  position: bigint | null
}

export interface QuarantineFilter { state: QuarantineState, reason?: string | undefined }

/** Rows in order of their ids, a page at a time. `after` is the last id of the page before. */
export async function listQuarantine (db: Db, page: QuarantineFilter & { after?: bigint | undefined, limit: number }): Promise<ListedQuarantine[]> {
  const { state, reason, after, limit } = page
  const { rows } = await sql<ListedQuarantine>`
    select ${sql.join(LISTED.map(column => sql.ref(`kept.${column}`)))}, kept.body_bytes, stored.shard, stored.position
    from (
      select ${sql.join(LISTED.map(column => sql.ref(column)))}, octet_length(body) as body_bytes
      from ledger.quarantine
      where state = ${state} and quarantine_id > ${after ?? 0n}
        ${reason === undefined ? sql`` : sql`and reason = ${reason}`}
      order by quarantine_id
      limit ${limit}
    ) kept
    -- One lookup by key for each row of the page, whatever the statistics say.
    left join lateral (
      select e.shard, e.position from ledger.events e where e.event_id = kept.event_id and e.subject = kept.subject limit 1
    ) stored on true
    order by kept.quarantine_id`.execute(db)
  return rows
}

/** A row with its bytes, and the stored event that it names. */
export interface KeptDelivery extends Selectable<QuarantineRow> {
  stored: Pick<EventRow, 'event_id' | 'subject' | 'shard' | 'position' | 'type' | 'recorded_at' | 'body'> | undefined
}

export async function findQuarantined (db: Db, quarantine_id: bigint): Promise<KeptDelivery | undefined> {
  const kept = await db.selectFrom('ledger.quarantine').selectAll().where('quarantine_id', '=', quarantine_id).executeTakeFirst()
  if (kept === undefined) return undefined
  const { event_id, subject } = kept
  if (event_id === null || subject === null) return { ...kept, stored: undefined }
  const stored = await db.selectFrom('ledger.events').select(['event_id', 'subject', 'shard', 'position', 'type', 'recorded_at', 'body'])
    .where('event_id', '=', event_id).where('subject', '=', subject)
    .executeTakeFirst()
  return { ...kept, stored }
}

/** Of a row what a redrive needs. */
export async function readQuarantined (db: Db, quarantine_id: bigint): Promise<Pick<KeptDelivery, 'provider' | 'body' | 'state'> | undefined> {
  return await db.selectFrom('ledger.quarantine').select(['provider', 'body', 'state']).where('quarantine_id', '=', quarantine_id).executeTakeFirst()
}

/**
 * The reason of a row that could be used but contradicts what another event states about the same movement. Storing it
 * can change a balance that customers have seen, so a person decides on each.
 */
export const CONTRADICTS_MOVEMENT = 'contradicts_movement'

export interface OpenRow { quarantine_id: bigint, bytes: number }

/**
 * The ids and sizes of open rows after one and up to another, in order: what a walk needs that changes what it walks
 * over. Without a reason: all but those that a person must decide on.
 */
export async function listOpen (db: Db, walk: { reason?: string | undefined, after: bigint, upTo: bigint, limit: number }): Promise<OpenRow[]> {
  return await db.selectFrom('ledger.quarantine').select(['quarantine_id', sql<number>`octet_length(body)`.as('bytes')])
    .where('state', '=', 'open')
    .where('reason', walk.reason === undefined ? '<>' : '=', walk.reason ?? CONTRADICTS_MOVEMENT)
    .where('quarantine_id', '>', walk.after).where('quarantine_id', '<=', walk.upTo)
    .orderBy('quarantine_id').limit(walk.limit)
    .execute()
}

/** How many rows are open for a reason. */
export async function countOpen (db: Db, reason: string): Promise<number> {
  const { count } = await db.selectFrom('ledger.quarantine').select(({ fn }) => fn.countAll<bigint>().as('count'))
    .where('state', '=', 'open').where('reason', '=', reason)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** The highest id there is; 0 when nothing was ever set aside. */
export async function newestQuarantineId (db: Db): Promise<bigint> {
  const newest = await db.selectFrom('ledger.quarantine').select('quarantine_id').orderBy('quarantine_id', 'desc').limit(1).executeTakeFirst()
  return newest?.quarantine_id ?? 0n
}

/**
 * Notes that a row's event is stored. Also where someone discarded it in the same moment: the log has the event, and
 * the row says so; why they discarded it stays.
 */
export async function markRedriven (db: Db, quarantine_id: bigint, event: { event_id: string, subject: string }, by: string): Promise<void> {
  await db.updateTable('ledger.quarantine')
    .set({ state: 'redriven', decided_at: sql`clock_timestamp()`, decided_by: observed(by), event_id: event.event_id, subject: event.subject })
    .where('quarantine_id', '=', quarantine_id).where('state', '<>', 'redriven')
    .execute()
}

/** Notes why an open row cannot be used as of now. */
export async function markStillUnusable (db: Db, quarantine_id: bigint, why: { reason: string, detail: string, event_id: string | null, subject: string | null }): Promise<void> {
  await db.updateTable('ledger.quarantine')
    .set({ ...why, detail: observed(why.detail) })
    .where('quarantine_id', '=', quarantine_id).where('state', '=', 'open')
    .execute()
}

/**
 * Notes that an open row is not wanted, and why. The row and its bytes stay.
 * @returns false when it is not open, or not there
 */
export async function markDiscarded (db: Db, quarantine_id: bigint, reason: string, by: string): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('ledger.quarantine')
    .set({ state: 'discarded', decided_at: sql`clock_timestamp()`, decided_by: observed(by), discard_reason: observed(reason) })
    .where('quarantine_id', '=', quarantine_id).where('state', '=', 'open')
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

// Parsers quote the input, and text columns cannot hold U+0000.
function observed (text: string): string {
  return text.slice(0, 2000).replaceAll('\u0000', '\ufffd').toWellFormed()
}

import { sql } from 'kysely'
import type { Db } from '../../postgres/database.ts'
import { standstill, type Standstill } from '../../engine/parking/parked.sql.ts'
import type { CardRow, StatementLineRow } from '../../postgres/tables.ts'

/** A card as people read it. */
export type ShownCard = CardRow & Standstill

/**
 * The cards that an id or a code means: the card with this id; else those with this code that are not deleted; else the
 * deleted ones with this code. Codes are unique only within a campaign, and can be used again after a deletion.
 */
export async function findCards (db: Db, idOrCode: string, limit: number): Promise<ShownCard[]> {
  const { rows } = await sql<ShownCard>`
    with ${standstill('cards')}
    select k.*, standstill.parked_at
    from (
      select c.card_id, 1 as rank from cards c where c.card_id = ${idOrCode}
      union all
      select c.card_id, case when c.deleted_at is null then 2 else 3 end from cards c where c.code = ${idOrCode}
      order by rank
      fetch first row with ties
    ) found
    join cards k on k.card_id = found.card_id
    left join standstill on standstill.key = 'card:' || k.card_id
    order by k.card_id
    limit ${limit}`.execute(db)
  return rows
}

/** The last line of a page: the next page begins after it. */
export interface LineMark { card_id: string, occurred_at: string, ordinal: number, movement_id: string }

/**
 * The mark of a line with its current ordinal. A movement of the same moment that arrived since can have raised it, and
 * a page that began at the old ordinal would skip a line.
 */
export async function currentMark (db: Db, mark: LineMark): Promise<LineMark> {
  const line = await db.selectFrom('statement_lines').select('ordinal')
    .where('movement_id', '=', mark.movement_id).where('card_id', '=', mark.card_id)
    .where(sql<boolean>`occurred_at = ${mark.occurred_at}::timestamptz`)
    .executeTakeFirst()
  return { ...mark, ordinal: line?.ordinal ?? mark.ordinal }
}

/** The lines of a card's statement, newest first. */
export async function listCardLines (
  db: Db, card_id: string, page: { before?: Omit<LineMark, 'card_id'> | undefined, limit: number }
): Promise<StatementLineRow[]> {
  const { limit } = page
  const before = page.before === undefined ? undefined : await currentMark(db, { ...page.before, card_id })
  return await db.selectFrom('statement_lines').selectAll()
    .where('card_id', '=', card_id)
    .$if(before !== undefined, query => query.where(sql<boolean>`(occurred_at, ordinal) < (${before?.occurred_at}::timestamptz, ${before?.ordinal}::integer)`))
    .orderBy('occurred_at', 'desc').orderBy('ordinal', 'desc').limit(limit)
    .execute()
}

/**
 * The lines of all cards that a customer holds, newest first. Reads at most a page of each card, however long its
 * history.
 */
export async function listCustomerLines (
  db: Db, customer_id: string, page: { before?: LineMark | undefined, limit: number }
): Promise<StatementLineRow[]> {
  const { limit } = page
  const before = page.before === undefined ? undefined : await currentMark(db, page.before)
  const older = before === undefined
    ? sql`true`
    : sql`l.occurred_at <= ${before.occurred_at}::timestamptz
          and (l.occurred_at, l.card_id, l.ordinal) < (${before.occurred_at}::timestamptz, ${before.card_id}, ${before.ordinal}::integer)`
  const { rows } = await sql<StatementLineRow>`
    select line.*
    from cards k
    cross join lateral (
      select l.* from statement_lines l
      where l.card_id = k.card_id and ${older}
      order by l.occurred_at desc, l.ordinal desc
      limit ${limit}
    ) line
    where k.customer_id = ${customer_id}
    order by line.occurred_at desc, line.card_id desc, line.ordinal desc
    limit ${limit}`.execute(db)
  return rows
}

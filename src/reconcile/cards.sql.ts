import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../postgres/database.ts'
import { BY_INDEX, unnest } from '../postgres/unnest.ts'
import { FIGURES, type ComparedCard, type Figures, type StatedCard } from './statement.ts'

const NAMES = [...FIGURES, 'balance'] as const

/** The figures of a row of `cards` as JSON; as decimals, since JSON has no integers of this size. */
function figuresOf (alias: string): RawBuilder<unknown> {
  const pairs = NAMES.map(name => sql`${sql.lit(name)}, ${sql.ref(`${alias}.${name}`)}::text`)
  return sql`case when ${sql.ref(`${alias}.card_id`)} is null then null else jsonb_build_object(${sql.join(pairs)}) end`
}

const STATED = { card_id: 'text', balance: 'bigint', balance_at: 'timestamptz', pending: 'bigint', pending_at: 'timestamptz' } as const

/**
 * Notes what the provider states of some cards, and for those that are new to the reconciliation what the ledger says
 * of them now. Call before anything about them is stored. A later statement replaces an earlier one.
 * @param cards each card once
 */
export async function noteCards (db: Db, reconciliation_id: bigint, cards: readonly StatedCard[]): Promise<void> {
  if (cards.length === 0) return
  await sql`
    insert into ledger.reconcile_cards as kept (reconciliation_id, card_id, before, balance, balance_at, pending, pending_at)
    select ${reconciliation_id}, s.card_id, ${figuresOf('k')}, s.balance, s.balance_at, s.pending, s.pending_at
    from ${unnest(cards, STATED, 's')}
    left join cards k on k.card_id = s.card_id
    order by s.card_id
    on conflict (reconciliation_id, card_id) do update set
      balance = case when excluded.balance_at >= coalesce(kept.balance_at, '-infinity') then excluded.balance else kept.balance end,
      balance_at = greatest(kept.balance_at, excluded.balance_at),
      pending = case when excluded.pending_at >= coalesce(kept.pending_at, '-infinity') then excluded.pending else kept.pending end,
      pending_at = greatest(kept.pending_at, excluded.pending_at)`.execute(db)
}

type ReadCard = Omit<ComparedCard, 'before' | 'after'> & { before: Record<keyof Figures, string> | null, after: Record<keyof Figures, string> | null }

/** The cards of a reconciliation as they compare now, by their ids, a page at a time. */
export async function readNotedCards (db: Db, reconciliation_id: bigint, page: { after: string, limit: number }): Promise<ComparedCard[]> {
  const { rows } = await sql<ReadCard>`
    ${comparison(sql`r.before`, sql`(
      select * from ledger.reconcile_cards r
      where r.reconciliation_id = ${reconciliation_id} and r.card_id > ${page.after}
      order by r.card_id
      limit ${page.limit})`)}`.execute(db)
  return rows.map(comparedOf)
}

/** The same of cards of which nothing is noted, with what the ledger says now in both places. */
export async function readStatedCards (db: Db, cards: readonly StatedCard[]): Promise<ComparedCard[]> {
  const { rows } = await sql<ReadCard>`${comparison(figuresOf('k'), sql`(select * from ${unnest(cards, STATED, 's')})`)}`.execute(db)
  return rows.map(comparedOf)
}

/** The last line that is not later than the statement says what the card held then. */
function comparison (before: RawBuilder<unknown>, stated: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select r.card_id, r.balance, r.balance_at, r.pending, r.pending_at, k.customer_id,
           ${before} as before, ${figuresOf('k')} as after,
           coalesce(line.balance, case when k.first_movement_at is null then k.balance else k.opening end) as balance_then,
           exists (select from pending_observations p where p.card_id = r.card_id and p.occurred_at > r.pending_at) or
             exists (select from card_snapshots s where s.card_id = r.card_id and s.figure = 'pending' and s.occurred_at > r.pending_at) as pending_moved,
           exists (select from parked x where x.key = 'card:' || r.card_id) as parked
    from ${stated} r
    left join cards k on k.card_id = r.card_id
    left join lateral (
      select l.balance from statement_lines l
      where l.card_id = r.card_id and l.occurred_at <= r.balance_at
      order by l.occurred_at desc, l.ordinal desc
      limit 1 ${BY_INDEX}
    ) line on true
    order by r.card_id`
}

function comparedOf (row: ReadCard): ComparedCard {
  return { ...row, before: readFigures(row.before), after: readFigures(row.after) }
}

function readFigures (figures: Record<keyof Figures, string> | null): Figures | null {
  return figures === null ? null : Object.fromEntries(NAMES.map(name => [name, BigInt(figures[name])])) as Figures
}

/** Forgets the cards of a reconciliation that is finished. */
export async function forgetCards (db: Db, reconciliation_id: bigint): Promise<void> {
  await db.deleteFrom('ledger.reconcile_cards').where('reconciliation_id', '=', reconciliation_id).execute()
}

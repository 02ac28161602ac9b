import { sql, type RawBuilder } from 'kysely'
import type { AsOf } from '../ledger/as-of.ts'
import type { Instant } from '../ledger/instant.ts'
import type { PendingTotal } from '../ledger/pending.ts'
import type { Trx } from '../postgres/database.ts'

/** True for a snapshot that counts as of a past time. */
function shown (asOf: AsOf): RawBuilder<unknown> {
  return sql`s.occurred_at <= ${asOf.at ?? 'infinity'}::timestamptz and s.recorded_at <= ${asOf.known_at ?? 'infinity'}::timestamptz`
}

/** The totals of pending points that cards were seen with, as of a time and stored by then. */
export async function readPendingTotalsAt (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Array<PendingTotal & { card_id: string, recorded_at: Instant }>> {
  const { rows } = await sql<PendingTotal & { card_id: string, recorded_at: Instant }>`
    select s.card_id, s.occurred_at, s.points, s.recorded_at
    from card_snapshots s
    where s.card_id = any (${card_ids}::text[]) and s.figure = 'pending' and ${shown(asOf)}`.execute(trx)
  return rows
}

/** The newest time by then as of which each card was seen with a balance. */
export async function readNewestSnapshotsAt (trx: Trx, card_ids: readonly string[], asOf: AsOf): Promise<Map<string, Instant>> {
  if (card_ids.length === 0) return new Map()
  const { rows } = await sql<{ card_id: string, at: Instant }>`
    select s.card_id, max(s.occurred_at) as at
    from card_snapshots s
    where s.card_id = any (${card_ids}::text[]) and s.figure = 'balance' and ${shown(asOf)}
    group by s.card_id`.execute(trx)
  return new Map(rows.map(({ card_id, at }) => [card_id, at]))
}

import { sql } from 'kysely'
import type { SnapshotObservation } from '../../ledger/facts.ts'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'
import type { CardSnapshotRow } from '../../postgres/tables.ts'
import type { Observed } from '../../engine/projection.ts'

/**
 * Stores what cards were seen with. Of several events that show the same, the one that was recorded first is kept: so
 * the row does not depend on the order in which they are folded. The cards' rows must be locked.
 * @returns those that no event had shown before
 */
export async function addSnapshots (trx: Trx, observed: ReadonlyArray<Observed<SnapshotObservation>>): Promise<CardSnapshotRow[]> {
  const shown = earliestOf(observed.flatMap(figuresOf))
  if (shown.length === 0) return []
  const { rows } = await sql<CardSnapshotRow & { added: boolean }>`
    insert into card_snapshots as s (card_id, figure, occurred_at, points, recorded_at, event_id, subject)
    select card_id, figure, occurred_at, points, recorded_at, event_id, subject
    from ${unnest(shown, {
      card_id: 'text',
      figure: 'text',
      occurred_at: 'timestamptz',
      points: 'numeric',
      recorded_at: 'timestamptz',
      event_id: 'text',
      subject: 'text'
    })}
    on conflict (card_id, figure, occurred_at, points) do update
    set recorded_at = excluded.recorded_at, event_id = excluded.event_id, subject = excluded.subject
    where (excluded.recorded_at, excluded.event_id, excluded.subject) < (s.recorded_at, s.event_id, s.subject)
    returning s.*, xmax = 0 as added`.execute(trx)
  return rows.filter(({ added }) => added)
}

function figuresOf ({ fact: { card_id, balance, pending, occurred_at }, recorded_at, event_id, subject }: Observed<SnapshotObservation>): CardSnapshotRow[] {
  return ([['balance', balance], ['pending', pending]] as const)
    .flatMap(([figure, points]) => points === null ? [] : [{ card_id, figure, occurred_at, points, recorded_at, event_id, subject }])
}

/** One statement cannot change a row twice. */
function earliestOf (shown: readonly CardSnapshotRow[]): CardSnapshotRow[] {
  const earliest = new Map<string, CardSnapshotRow>()
  for (const row of shown) {
    const key = `${row.card_id}\n${row.figure}\n${row.occurred_at}\n${row.points}`
    const known = earliest.get(key)
    if (known === undefined || placeOf(row) < placeOf(known)) earliest.set(key, row)
  }
  return [...earliest.values()]
}

// Ids hold no control characters.
function placeOf ({ recorded_at, event_id, subject }: CardSnapshotRow): string {
  return `${recorded_at}\n${event_id}\n${subject}`
}

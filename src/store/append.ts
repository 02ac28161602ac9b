import { sql } from 'kysely'
import type { Db } from './database.ts'

/** An event to append: what the provider's reading named, its shard, and the bytes. */
export interface Appendable {
  shard: number
  event_id: string
  subject: string
  type: string
  customer_id: string | null
  occurred_at: string | null
  test: boolean
  send_out_id: string | null
  source: string | null
  source_id: string | null
  group_id: string | null
  project_id: string | null
  channel: string | null
  /** Hex. */
  body_digest: string
  /** Hex. */
  fact_digest: string
  /** Valid JSON text. */
  body: string
}

/** What became of an input: stored now, stored before, or contradicting what is stored. The position is the stored event's. */
export interface Appended {
  outcome: 'accepted' | 'duplicate' | 'conflict'
  shard: number
  position: bigint
}

const RECORD = '\u001e'
const FIELD = '\u001f'

/**
 * Appends events: one call of `ledger.append`, one round trip, one transaction.
 * ```sql
 * select ordinal, outcome, shard, position from ledger.append($touched, $records, $bodies)
 * ```
 * @returns one answer an input, in order
 */
export async function append (db: Db, events: readonly Appendable[]): Promise<Appended[]> {
  const touched = [...new Set(events.map(event => event.shard))].sort((a, b) => a - b)
  const { rows } = await sql<Appended>`
    select outcome, shard, position
    from ledger.append(${touched}::smallint[], ${events.map(record).join(RECORD)}, ${events.map(event => event.body).join(RECORD)})
    order by ordinal`.execute(db)
  if (rows.length !== events.length) {
    throw new Error(`ledger.append answered ${rows.length} rows for ${events.length} events: a separator stands inside a field, or a shard is unknown`)
  }
  return rows
}

// The order of the fields is the one that ledger.append documents.
function record (event: Appendable): string {
  return [
    event.event_id, event.subject, event.shard, event.type, event.customer_id, event.occurred_at,
    event.send_out_id, event.source, event.source_id, event.group_id, event.project_id, event.channel,
    event.body_digest, event.fact_digest, event.test
  ].join(FIELD)
}

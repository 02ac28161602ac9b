import { sql } from 'kysely'
import type { UnreadTypeRow } from '../../postgres/tables.ts'
import type { Trx } from '../../postgres/database.ts'
import { unnest } from '../../postgres/unnest.ts'

/** Adds to the counts of types, in the order in which they are given. */
export async function addUnread (trx: Trx, counts: readonly UnreadTypeRow[]): Promise<void> {
  await sql`
    insert into unread_types as t (type, events)
    select type, events from ${unnest(counts, { type: 'text', events: 'bigint' })}
    on conflict (type) do update set events = t.events + excluded.events`.execute(trx)
}

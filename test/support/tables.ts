// What no answer of the API shows, read in the tables and compared with what the simulator knows.
import type pg from 'pg'
import type { Delivery } from '../../simulator/delivery.ts'
import type { Differences } from '../../simulator/differences.ts'
import { factsOf } from '../../simulator/oracle/answers.ts'
import type { Expectation } from '../../simulator/oracle/expectation.ts'

export async function checkTables (owner: pg.Pool, expected: Expectation, sent: readonly Delivery[], differences: Differences): Promise<void> {
  await checkNoMore(owner, expected, differences)
  await checkTies(owner, differences)
  await checkRecording(owner, expected, differences)
  await checkActivations(owner, sent, differences)
}

/** No card and no order that nobody told of. */
async function checkNoMore (owner: pg.Pool, { cards, orders }: Expectation, differences: Differences): Promise<void> {
  const known = new Set([...cards.keys(), ...orders.keys()])
  const { rows } = await owner.query<{ id: string }>('select card_id as id from projection.cards union all select order_id from projection.orders')
  for (const { id } of rows) if (!known.has(id)) differences.add({ about: id, field: 'row', expected: 'none', got: 'one' })
}

/** A statement begins where the card's balance began, and ends at it. Without a line the card has its opening. */
async function checkTies (owner: pg.Pool, differences: Differences): Promise<void> {
  const { rows } = await owner.query<{ card_id: string, balance: string }>(`
    select k.card_id, k.balance from projection.cards k join projection.statement_lines l using (card_id)
    group by k.card_id, k.balance
    having k.balance <> (array_agg(l.balance - l.points order by l.occurred_at, l.ordinal))[1] + sum(l.points)
        or k.balance <> (array_agg(l.balance order by l.occurred_at desc, l.ordinal desc))[1]
    union all
    select k.card_id, k.balance from projection.cards k
    where k.balance <> k.opening and not exists (select from projection.statement_lines l where l.card_id = k.card_id)`)
  for (const { card_id, balance } of rows) differences.add({ about: `card ${card_id}`, field: 'balance', expected: 'as its lines come to', got: balance })
}

const TIME = "to_char(%s at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US')"
const timeOf = (column: string): string => TIME.replace('%s', column)

/** A line is recorded when the first event that tells its movement was received. */
async function checkRecording (owner: pg.Pool, { cards }: Expectation, differences: Differences): Promise<void> {
  const events = await owner.query<{ key: string, at: string }>(`select event_id || ' ' || subject as key, ${timeOf('recorded_at')} as at from ledger.events`)
  const received = new Map(events.rows.map(({ key, at }) => [key, at]))
  const lines = await owner.query<{ card_id: string, movement_id: string, at: string }>(`select card_id, movement_id, ${timeOf('recorded_at')} as at from projection.statement_lines`)
  const recorded = new Map(lines.rows.map(({ card_id, movement_id, at }) => [`${card_id} ${movement_id}`, at]))
  for (const { card_id, lines } of cards.values()) {
    for (const { movement_id, observed_in } of lines) {
      const earliest = observed_in.map(key => received.get(key) ?? `${key} is not stored`).sort()[0]
      const got = recorded.get(`${card_id} ${movement_id}`)
      if (got !== earliest) differences.add({ about: `card ${card_id}, line ${movement_id}`, field: 'recorded_at', expected: earliest, got })
    }
  }
}

/** On which day pending points become available. */
async function checkActivations (owner: pg.Pool, sent: readonly Delivery[], differences: Differences): Promise<void> {
  const { rows } = await owner.query<{ lot: string, day: string | null }>("select distinct card_id || ' ' || pending_id as lot, activates_on::text as day from projection.pending_observations")
  const observed = new Map(factsOf(sent).flatMap(fact => fact.fact === 'lot' ? [[`${fact.card_id} ${fact.lot_id}`, fact.activates_on]] : []))
  for (const { lot, day } of rows) if (observed.get(lot) !== day) differences.add({ about: `pending points ${lot}`, field: 'activates_on', expected: observed.get(lot), got: day })
  const known = new Set(rows.map(({ lot }) => lot))
  for (const lot of observed.keys()) if (!known.has(lot)) differences.add({ about: `pending points ${lot}`, field: 'row', expected: 'one', got: 'none' })
}

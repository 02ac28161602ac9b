import { rawSql, sql } from '@event-driven-io/dumbo'
import { getPostgreSQLEventStore, postgreSQLEventStoreConsumer, postgreSQLRawSQLProjection } from '@event-driven-io/emmett-postgresql'
import type { Event } from '@event-driven-io/emmett'
import type { Log } from './log.ts'
import type { Projector } from './projector.ts'

/** Of the provider's webhook about an award, what this projector reads. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- emmett takes types, which have an index signature
type Award = { voucher: { id: string }, balance: { points: number } }
type PointsAwarded = Event<'PointsAwarded', Award>

/** Batches are what it reads and commits at once. Its default is 100; each batch sorts the rest of the log, so that larger ones are faster. */
const BATCH_EVENTS = 2000
/** After the first batch it rests this long, whatever one sets: not counted, since a long log would not notice. */
const FIRST_REST_SECONDS = 0.1

/** A stream a card, appended at once. */
const emmettLog: Log = {
  name: 'emmett',
  async store (url, deliveries) {
    const streams = new Map<string, PointsAwarded[]>()
    for (const { card_id, body } of deliveries) {
      const stream = streams.get(card_id) ?? []
      stream.push({ type: 'PointsAwarded', data: JSON.parse(body.toString()) as Award })
      streams.set(card_id, stream)
    }
    const store = getPostgreSQLEventStore(url)
    try {
      let stored = 0
      for (const [card_id, events] of streams) {
        await store.appendToStream<PointsAwarded>(`card-${card_id}`, events)
        stored += events.length
      }
      return stored
    } finally {
      await store.close()
    }
  }
}

/** A balance a card in plain SQL, the least that emmett's projections can do: one upsert an event, and a checkpoint with it. */
function balances (onEvent: () => void) {
  return postgreSQLRawSQLProjection<PointsAwarded>({
    name: 'balances',
    canHandle: ['PointsAwarded'],
    init: () => rawSql('create table if not exists balances (card_id text primary key, balance bigint not null, movements bigint not null)'),
    evolve ({ data: { voucher, balance } }) {
      onEvent()
      return sql(`
        insert into balances (card_id, balance, movements) values (%L, %s, 1)
        on conflict (card_id) do update set balance = balances.balance + excluded.balance, movements = balances.movements + 1`, voucher.id, balance.points)
    }
  })
}

/** The consumer of @event-driven-io/emmett-postgresql. */
export const projector: Projector = {
  name: 'emmett consumer',
  module: import.meta.url,
  log: emmettLog,
  async fold (url) {
    let events = 0
    const consumer = postgreSQLEventStoreConsumer<PointsAwarded>({
      connectionString: url,
      stopWhen: { noMessagesLeft: true },
      pulling: { batchSize: BATCH_EVENTS, pullingFrequencyInMs: 0 }
    })
    consumer.projector<PointsAwarded>({ projection: balances(() => { events++ }) })
    try {
      const began = performance.now()
      await consumer.start()
      return { events, seconds: (performance.now() - began) / 1000 - FIRST_REST_SECONDS }
    } finally {
      await consumer.close()
    }
  },
  cards: 'select card_id, balance, movements from balances'
}

import { isExpectedVersionConflictError, type Event } from '@event-driven-io/emmett'
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import { serve } from './app.ts'

type Rewarded = Event<'customer.rewarded.loyalty_points', Record<string, unknown>>

// Its own pool, of ten connections. The schema is there already: no append waits to see whether it is.
const store = getPostgreSQLEventStore(process.env.DATABASE_URL ?? '', { schema: { autoMigration: 'None' } })

await serve(async ({ event_id, json }) => {
  try {
    // Message ids are not unique, nor is STREAM_DOES_NOT_EXIST enforced: what makes an event one event is a stream of its own that
    // has to be at version 0. That is no slower than a stream a customer, which would store a repeated delivery again.
    await store.appendToStream<Rewarded>(`event-${event_id}`, [{ type: 'customer.rewarded.loyalty_points', data: { ...json } }], { expectedStreamVersion: 0n })
  } catch (error) {
    if (!isExpectedVersionConflictError(error)) throw error
  }
})

import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import { program, type Contender } from './contender.ts'
import { countBodies } from './count.ts'

/** The event store for Node and PostgreSQL: one `appendToStream` a delivery. */
export const emmett: Contender = {
  name: 'emmett appendToStream',
  command: program('emmett.program.ts'),
  async prepare (url) {
    const store = getPostgreSQLEventStore(url)
    await store.schema.migrate()
    await store.close()
  },
  async count (pool) { return await countBodies(pool, 'emt_messages', 'message_data') }
}

import pg from 'pg'
import { loadConfig } from '../../src/config.ts'
import { ledgerLog } from './log.ts'
import type { Projector } from './projector.ts'

const { PROJECTION_BATCH_EVENTS } = loadConfig({})

/** The ceiling: reads the same columns of the same rows in the same batches, as text, parses each body, and writes nothing. */
export const projector: Projector = {
  name: 'read and parse',
  module: import.meta.url,
  log: ledgerLog,
  async fold (url) {
    const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => (value: string) => value } })
    await client.connect()
    try {
      const { rows: shards } = await client.query<{ shard: string, head: string }>('select shard, head from ledger.shards')
      let events = 0
      const began = performance.now()
      for (const { shard, head } of shards) {
        for (let position = '0'; position !== head;) {
          const { rows } = await client.query<{ position: string, body: string }>({
            name: 'read',
            text: `select event_id, subject, position, recorded_at, test, fact_digest, body
                   from ledger.events where shard = $1 and position > $2 order by position limit $3`,
            values: [shard, position, PROJECTION_BATCH_EVENTS]
          })
          for (const { body } of rows) if (typeof JSON.parse(body) === 'object') events++
          position = rows.at(-1)?.position ?? head
        }
      }
      return { events, seconds: (performance.now() - began) / 1000 }
    } finally {
      await client.end()
    }
  }
}

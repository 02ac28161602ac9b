// A delivery that finds all connections in use is refused for that reason, wherever on its way it needed one.
import { test } from 'tap'
import { receiveDelivery } from '../../src/ingest/receive.ts'
import type { Ingest } from '../../src/ingest/store-delivery.ts'
import { createAppender, type Appender } from '../../src/log/appender.ts'
import { closePool, databaseOf, openPool } from '../../src/postgres/database.ts'
import { createDatabase } from '../support/database.ts'
import { awardData, enveloped } from '../support/deliveries.ts'

const bytes = (delivery: object): Buffer => Buffer.from(JSON.stringify(delivery))

test('appended, quarantined or compared with what is stored: without a free connection the refusal is the same', async t => {
  const { url } = await createDatabase(t)
  const pool = openPool({ url, poolSize: 1, name: 'exhausted', onIdleError: () => {} })
  t.teardown(async () => { await closePool(pool) })
  const db = databaseOf(pool)
  const appender = createAppender(db, { queueLimit: 10 })
  const intake: Ingest = { db, appender, shards: 16 }
  t.match(await receiveDelivery(bytes(enveloped(awardData())), {}, intake), { status: 'accepted' })
  const conflicting: Pick<Appender, 'append'> = { append: async ({ shard }) => ({ outcome: 'conflict', shard, position: 1n }) }

  const taken = await pool.connect()
  t.teardown(() => { taken.release() })
  const refused = await Promise.all([
    receiveDelivery(bytes(enveloped(awardData({ rule: 'ern_2' }))), {}, intake),
    receiveDelivery(Buffer.from('not JSON'), {}, intake),
    receiveDelivery(bytes(enveloped(awardData({ points: 2 }))), {}, { ...intake, appender: conflicting })
  ].map(async receiving => await receiving.then(() => undefined, (error: unknown) => error)))
  for (const error of refused) t.match(error, { name: 'AppendRefused', code: 'busy', message: /all database connections.*DATABASE_POOL_SIZE/ })
})

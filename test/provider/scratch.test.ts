import { test } from 'tap'
import { randomBytes } from 'node:crypto'
import { createDatabase } from '../support/database.ts'
import { sql } from 'kysely'
import { append } from '../../src/store/append.ts'
import * as database from '../../src/store/database.ts'
import { step } from '../../src/projections/step.ts'
import * as index from '../../src/projections/index.ts'
import { quarantine } from '../../src/store/quarantine.ts'
import { identify } from '../../src/provider/voucherify/delivery.ts'
import { shardOf } from '../../src/store/shards.ts'
import { award, order, set } from './voucherify/payloads.ts'
import { pathToFileURL } from 'node:url'

test('scratch', async t => {
  console.error(Object.keys(database), Object.keys(index))
  for (const [what, body] of [
    ['plain', award()],
    ['source_id 10kB', set(award(), ['customer', 'source_id'], randomBytes(7000).toString('base64'))],
    ['code 10kB', set(award(), ['voucher', 'code'], randomBytes(7000).toString('base64'))],
    ['order.source_id 10kB', set(order(), ['order', 'source_id'], randomBytes(7000).toString('base64'))],
    ['year 0', set(order(), ['order', 'created_at'], '0000-01-01T00:00:00Z')],
    ['year 0 updated', set(order(), ['order', 'updated_at'], '0000-01-01T00:00:00Z')],
    ['infinite', set(order(), ['order', 'metadata'], {a:'\u0000\ud800'})]
  ] as const) {
    const { url } = await createDatabase(t)
    const db = (database as any).databaseOf((database as any).openPool({ url, connectionString: url, DATABASE_URL: url, role: undefined, size: 3 }))
    const d = identify(Buffer.from(JSON.stringify(body)))
    if ('reason' in d) { console.error(what, d); continue }
    try {
      console.error(what, await append(db, [{ ...d, shard: shardOf(d.shard_key, 16) }]))
    } catch (e) { console.error(what, 'APPEND', String(e)) ; continue}
    try {
      console.error(what, await step(db, (index as any).projections ?? (index as any).PROJECTIONS, { batch: 100 }))
    } catch (e) { console.error(what, 'STEP', String(e)) }
  }
})

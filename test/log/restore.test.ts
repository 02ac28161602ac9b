// A backup brought back into a new cluster goes on as if nothing had been.
import { join } from 'node:path'
import pg from 'pg'
import { test, type Test } from 'tap'
import { openCluster } from '../../src/postgres/embedded/index.ts'
import { storeDelivery } from '../../src/ingest/store-delivery.ts'
import { projections } from '../../src/projections/index.ts'
import { runStep } from '../../src/engine/step.ts'
import type { Delivery } from '../../simulator/delivery.ts'
import { simulate } from '../../simulator/simulate.ts'
import { migrateUp, migrationStatus } from '../../src/postgres/migrations/migrate.ts'
import { brokenShards } from '../support/chain.ts'
import { awardData, enveloped } from '../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../support/ledger.ts'
import { findPostgres, startCluster } from '../support/system-postgres.ts'
import { copyIn, copyOut, readBack } from '../support/table-copy.ts'
import { dataFolder, settings } from '../postgres/embedded/support.ts'

const SHARDS = 4
const { deliveries } = simulate({ seed: 'a backup', customers: 10, events: 250, chaos: 'high' })

async function poolOf (t: Test, url: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url })
  // The server goes down with the test, and an idle connection that ends so is no news.
  pool.on('error', () => {})
  t.teardown(async () => { await pool.end() })
  return pool
}

/** A ledger in use: quarantine in it, some shards projected to the end, others in part. */
async function use (ledger: TestLedger): Promise<void> {
  const take = async (some: readonly Delivery[]): Promise<void> => { for (const { body } of some) await ledger.post(body) }
  await take(deliveries.slice(0, 150))
  await ledger.project()
  await take(deliveries.slice(150))
  await runStep(ledger.steps, projections, { batch: 5 })
}

/**
 * Row for row what it was, and then on: duplicates known, positions and numbers continued, chains unbroken, projections
 * as in the source.
 */
async function goesOn (t: Test, source: TestLedger, target: TestLedger): Promise<void> {
  const rows = await copyOut(source.owner, ['ledger', 'projection'])
  t.strictSame(await readBack(target.owner, rows), rows)
  t.strictSame((await migrationStatus(target.owner)).pending, [])
  const { rows: [before] } = await target.owner.query<{ head: string, aside: string }>('select head, (select max(quarantine_id) from ledger.quarantine) as aside from ledger.shards where shard = 2')
  t.ok(Number(before?.aside) > 0, 'there was something in quarantine')

  const stored = deliveries.find(({ kind }) => kind === 'event')
  t.match(await storeDelivery(stored?.body ?? Buffer.from(''), { db: target.db, appender: target.appender, shards: SHARDS }), { status: 'duplicate' })
  // Of shard 2, by the sha256 of its customer.
  const news = enveloped(awardData({ customer: 'a', card: 'v_new', points: 7, balance: 7 }), { id: 'ev_new' })
  t.match((await target.post(news)).json(), { status: 'accepted', position: `2:${Number(before?.head) + 1}` })
  t.match((await target.post('neither json')).json(), { status: 'quarantined', quarantine_id: String(Number(before?.aside) + 1) })
  t.strictSame(await brokenShards(target.owner), [])

  await source.post(news)
  for (const ledger of [source, target]) t.ok(await ledger.project() > 0)
  const projected = async ({ owner }: TestLedger): Promise<Record<string, string[]>> => {
    const { checkpoints: _, ...tables } = await dumpProjections(owner, { recordedAt: false })
    return tables
  }
  t.strictSame(await projected(target), await projected(source))
  t.match((await target.get('/v1/customers/a/balance')).json(), { balance: 7 })
}

test('tables copied through SQL into a new cluster go on', async t => {
  const source = await openLedger(t, { shards: SHARDS })
  await use(source)
  const cluster = await openCluster({ dataDir: await dataFolder(t), settings })
  t.teardown(cluster.release)
  await migrateUp(cluster.url)
  const pool = await poolOf(t, cluster.url)
  await copyIn(pool, await copyOut(source.owner, ['ledger', 'projection']))
  await goesOn(t, source, await openLedger(t, { database: { url: cluster.url, pool }, shards: SHARDS }))
})

const bin = findPostgres()

test('pg_dump, a new cluster, the two roles, pg_restore: it goes on', async t => {
  if (bin === undefined) {
    t.comment('no PostgreSQL with pg_dump is installed here: the test above stands for this one')
    return
  }
  const [from, to] = [await startCluster(t, bin), await startCluster(t, bin, 'keeper')]
  await migrateUp(from.url('postgres'))
  const pool = await poolOf(t, from.url('postgres'))
  await pool.query('insert into ledger.shards (shard) select generate_series(0, $1::int - 1)', [SHARDS])
  const source = await openLedger(t, { database: { url: from.url('postgres'), pool }, shards: SHARDS })
  await use(source)

  const dump = join(from.folder, 'ledger.dump')
  await from.program('pg_dump', from.url('postgres'), '--format', 'custom', '--file', dump)
  const restored = await poolOf(t, to.url('postgres'))
  await t.rejects(to.program('pg_restore', '--dbname', to.url('postgres'), '--exit-on-error', '--single-transaction', '--no-owner', dump), /role "ledger_service" does not exist/)
  await restored.query('create role ledger_service nologin; create role ledger_reader nologin')
  // The owner has another name there.
  await to.program('pg_restore', '--dbname', to.url('postgres'), '--exit-on-error', '--single-transaction', '--no-owner', dump)
  await goesOn(t, source, await openLedger(t, { database: { url: to.url('postgres'), pool: restored }, shards: SHARDS }))
  await t.rejects(restored.query('delete from ledger.events'), { code: '42501' }, 'what keeps the log append-only came with it')
})

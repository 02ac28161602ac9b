// Databases that earlier releases left: test/releases/README.md.
import { test, type Test } from 'tap'
import { migrateDown, migrateUp, migrationStatus } from '../../../src/postgres/migrations/migrate.ts'
import { listKeys } from '../../../src/access/api-keys.sql.ts'
import { databaseOf } from '../../../src/postgres/database.ts'
import { brokenShards } from '../../support/chain.ts'
import { createDatabase } from '../../support/database.ts'
import { awardData } from '../../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../../support/ledger.ts'
import { digestsOfMigrations, readReleases, writeRelease, type Release } from '../../support/release.ts'
import { dumpSchema } from '../../support/schema-dump.ts'
import { copyIn, readBack, type CopiedRow } from '../../support/table-copy.ts'

const { MAKE_RELEASE: version } = process.env
if (version !== undefined) test(`release ${version} is written down`, async t => { await writeRelease(t, version) })

/** A database as a release left it, in its own schema. */
async function openReleased (t: Test, { migrations, rows }: Release): Promise<Awaited<ReturnType<typeof createDatabase>>> {
  const database = await createDatabase(t, { blank: true })
  await migrateUp(database.url, { count: migrations.size })
  await copyIn(database.pool, rows)
  return database
}

/** The rows that projections have; where they stand tells when they got there, too. */
async function projected ({ owner }: Pick<TestLedger, 'owner'>): Promise<Record<string, string[]>> {
  const { checkpoints: _, ...tables } = await dumpProjections(owner)
  return tables
}

/** The same events in a new ledger, folded from nothing. */
async function foldedAnew (t: Test, rows: readonly CopiedRow[]): Promise<Record<string, string[]>> {
  const ledger = await openLedger(t, { shards: 0 })
  await copyIn(ledger.owner, rows.filter(({ table }) => ['ledger.shards', 'ledger.events'].includes(table)))
  const reopened = await openLedger(t, { database: { url: ledger.url, pool: ledger.owner } })
  await reopened.project()
  return await projected(reopened)
}

for (const release of readReleases()) {
  test(`release ${release.version}: its migrations are as they were released`, t => {
    const now = digestsOfMigrations()
    for (const [name, digest] of release.migrations) t.equal(now.get(name), digest, name)
    t.end()
  })

  test(`release ${release.version}: its database goes up, loses nothing, and goes on`, async t => {
    const database = await openReleased(t, release)
    t.equal((await migrationStatus(database.pool)).applied.length, release.migrations.size)
    await migrateUp(database.url)
    t.strictSame(await readBack(database.pool, release.rows), release.rows, 'row for row what it was')
    t.strictSame(await brokenShards(database.pool), [])

    const ledger = await openLedger(t, { database })
    const events = release.rows.filter(({ table }) => table === 'ledger.events').length
    const left = await ledger.project()
    t.ok(left > 50 && left < events, `the rest is projected (${left} of ${events})`)
    t.strictSame(await projected(ledger), await foldedAnew(t, release.rows), 'as if all had been folded by the code of today')

    // Of a shard whose head was 2.
    const posted = await ledger.post(awardData({ customer: 'cust_ufwK2qUNGDYxa1aji7XKzuHm', card: 'v_new', points: 5, balance: 5 }))
    t.match(posted.json(), { status: 'accepted', position: '14:3' }, 'positions go on')
    t.equal(await ledger.project(), 1)
    t.match((await ledger.owner.query("select balance from projection.cards where card_id = 'v_new'")).rows, [{ balance: '5' }])
    t.strictSame(await brokenShards(ledger.owner), [])
    t.equal((await listKeys(databaseOf(ledger.owner))).length, 1)
  })

  test(`release ${release.version}: up, down to it and up again with data in it loses no event`, async t => {
    const database = await openReleased(t, release)
    const schema = await dumpSchema(database.pool)
    const newer = await migrateUp(database.url)
    const first = await openLedger(t, { database })
    await first.project()
    const rows = await projected(first)
    t.strictSame(await migrateDown(database.url, { count: newer.length }), [...newer].reverse())
    // A column that was made anew on the way down stands last: the same schema for everyone who names columns.
    t.strictSame((await dumpSchema(database.pool)).split('\n').sort(), schema.split('\n').sort(), 'the schema is the released one again')
    t.strictSame(await migrateUp(database.url), newer)
    const log = release.rows.filter(({ table }) => /^ledger\.(events|shards|quarantine|api_keys)$/.test(table))
    t.strictSame(await readBack(database.pool, log), log)
    const ledger = await openLedger(t, { database })
    await ledger.project()
    t.strictSame(await projected(ledger), rows)
  })
}

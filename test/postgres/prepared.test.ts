import { sql } from 'kysely'
import { test } from 'tap'
import { closePool, databaseOf, openForSteps } from '../../src/postgres/database.ts'
import { failureOf } from '../../src/postgres/errors.ts'
import { prepared } from '../../src/postgres/prepared.ts'
import { createDatabase } from '../support/database.ts'

test('a prepared statement is built once, parsed once a connection, and gets the values of each call', async t => {
  const { pool } = await createDatabase(t)
  const db = databaseOf(pool)
  let built = 0
  const between = prepared((least: number, most: number, word: string) => {
    built += 1
    return sql<{ n: number, word: string, fixed: string }>`
      select n, ${word} as word, ${'as it was built'}::text as fixed from generate_series(${least}::integer, ${most}::integer) as n where n <> ${least}::integer order by n`
  })
  t.strictSame(await between(db, 1, 3, 'one'), [{ n: 2, word: 'one', fixed: 'as it was built' }, { n: 3, word: 'one', fixed: 'as it was built' }])
  t.strictSame(await between(db, 7, 8, 'two'), [{ n: 8, word: 'two', fixed: 'as it was built' }])
  t.equal(built, 1)

  const { rows } = await sql<{ statement: string, generic_plans: bigint, custom_plans: bigint }>`
    select statement, generic_plans, custom_plans from pg_prepared_statements where statement like '%generate_series%' and statement not like '%pg_prepared%'`.execute(db)
  t.equal(rows.length, 1)
  t.equal(Number(rows[0]?.generic_plans) + Number(rows[0]?.custom_plans), 2)
})

test('inside a transaction it sees what the transaction did', async t => {
  const { pool } = await createDatabase(t)
  const db = databaseOf(pool)
  const heads = prepared(() => sql<{ head: string }>`select sum(head)::text as head from ledger.shards`)
  t.strictSame(await heads(db), [{ head: '0' }])
  await db.transaction().execute(async trx => {
    await sql`update ledger.shards set head = 2 where shard = 0`.execute(trx)
    t.strictSame(await heads(trx), [{ head: '2' }])
  })
})

test('a pool for steps prepares every statement that reads or writes rows, and plans it for tables of any size', async t => {
  const { url } = await createDatabase(t)
  const { pool, db } = openForSteps({ url, poolSize: 1, name: 'test' })
  t.teardown(async () => { await closePool(pool) })
  for (const card_id of ['v_1', 'v_2']) await db.selectFrom('cards').selectAll().where('card_id', '=', card_id).execute()
  const { rows: [statement] } = await sql<{ statement: string, generic_plans: bigint }>`
    select statement, generic_plans from pg_prepared_statements where statement like '%from "cards"%'`.execute(db)
  t.match(statement, { statement: /^select \* from "cards"/, generic_plans: 2n })
  const { rows: plan } = await sql<Record<string, string>>`explain select * from cards where card_id = 'v_1'`.execute(db)
  t.match(plan.map(line => Object.values(line)[0]).join(' '), /Index Scan|Bitmap/, 'though nobody knows yet how large the table is')

  // A statement whose text differs from call to call gets no name for ever.
  for (let index = 0; index < 300; index++) await sql`select ${sql.lit(index)}::integer as n`.execute(db)
  const { rowCount: kept } = await pool.query('select from pg_prepared_statements')
  t.ok((kept ?? 0) <= 200, `${kept} statements are kept`)
})

test('a connection whose statement a migration overtook is closed, and the next one knows the new columns', async t => {
  const { url, pool: owner } = await createDatabase(t)
  const { pool, db } = openForSteps({ url, poolSize: 1, name: 'test' })
  t.teardown(async () => { await closePool(pool) })
  const read = async (): Promise<unknown[]> => await db.selectFrom('cards').selectAll().execute()
  const pid = async (): Promise<unknown> => (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)).rows[0]?.pid
  await read()
  const before = await pid()
  await owner.query('alter table projection.cards add column note text')
  const error: unknown = await read().then(() => undefined, (error: unknown) => error)
  t.equal(failureOf(error), 'retry')
  t.strictSame(await read(), [])
  t.not(await pid(), before)
})

import { sql } from 'kysely'
import t from 'tap'
import { databaseOf } from '../../src/store/database.ts'
import { prepared } from '../../src/store/prepared.ts'
import { createDatabase } from '../support/database.ts'

t.test('a prepared statement is built once, parsed once a connection, and gets the values of each call', async t => {
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

t.test('inside a transaction it sees what the transaction did', async t => {
  const { pool } = await createDatabase(t)
  const db = databaseOf(pool)
  const heads = prepared(() => sql<{ head: string }>`select sum(head)::text as head from ledger.shards`)
  t.strictSame(await heads(db), [{ head: '0' }])
  await db.transaction().execute(async trx => {
    await sql`update ledger.shards set head = 2 where shard = 0`.execute(trx)
    t.strictSame(await heads(trx), [{ head: '2' }])
  })
})

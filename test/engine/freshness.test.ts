import t from 'tap'
import { projections } from '../../src/projections/index.ts'
import { createFreshness } from '../../src/engine/freshness.ts'
import type { Db } from '../../src/postgres/database.ts'
import { openLedger } from '../support/ledger.ts'

/** A database that counts what it is asked. */
function counting (db: Db): { db: Db, asked: () => number } {
  let asked = 0
  const counted = new Proxy(db, {
    get (target, name) {
      if (name === 'executeQuery') asked += 1
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
    }
  })
  return { db: counted, asked: () => asked }
}

t.test('one look answers all that wait, each by its own position and its own time', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  const { db, asked } = counting(ledger.db)
  const freshness = createFreshness(db, projections)
  t.teardown(() => { freshness.close() })
  await ledger.owner.query('update projection.checkpoints set position = 7 where shard = 1')

  const there = Array.from({ length: 200 }, async () => await freshness.reach({ shard: 1, position: 7n }, 60_000))
  t.strictSame(new Set(await Promise.all(there)), new Set([7n]))
  t.ok(asked() <= 2, `${asked()} looks for 200 that wait`)

  t.equal(await freshness.reach({ shard: 0, position: 1n }, 0), 0n, 'not reached, and nothing is waited for')
  t.equal(await freshness.reach({ shard: 9, position: 1n }, 60_000), undefined, 'there is no such shard')

  const [patient, impatient] = [freshness.reach({ shard: 0, position: 3n }, 60_000), freshness.reach({ shard: 0, position: 3n }, 10)]
  t.equal(await impatient, 0n)
  await ledger.owner.query('update projection.checkpoints set position = 3 where shard = 0')
  t.equal(await patient, 3n, 'found without a ring')
})

t.test('whoever was answered may ask the next thing at once', async t => {
  const ledger = await openLedger(t, { shards: 4 })
  const freshness = createFreshness(ledger.db, projections)
  t.teardown(() => { freshness.close() })
  for (let shard = 0; shard < 4; shard++) t.equal(await freshness.reach({ shard, position: 0n }, 60_000), 0n)
})

t.test('what the database refuses is told to those that wait, and the next question is asked anew', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  const freshness = createFreshness(ledger.db, projections)
  t.teardown(() => { freshness.close() })
  await ledger.owner.query('alter table projection.checkpoints rename to elsewhere')
  const refused = await Promise.allSettled([freshness.reach({ shard: 0, position: 1n }, 60_000), freshness.reach({ shard: 1, position: 1n }, 60_000)])
  t.strictSame(refused.map(({ status }) => status), ['rejected', 'rejected'])
  await ledger.owner.query('alter table projection.elsewhere rename to checkpoints')
  t.equal(await freshness.reach({ shard: 0, position: 0n }, 60_000), 0n)
})

t.test('an orderly stop ends every wait', async t => {
  const ledger = await openLedger(t, { shards: 2 })
  const freshness = createFreshness(ledger.db, projections)
  const waits = [freshness.reach({ shard: 0, position: 1n }, 60_000), freshness.reach({ shard: 1, position: 1n }, 60_000)]
  freshness.close()
  t.strictSame(await Promise.all(waits), [0n, 0n])
  t.equal(await freshness.reach({ shard: 0, position: 1n }, 60_000), 0n, 'nor is any begun')
})

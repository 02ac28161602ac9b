// A switch of generations locks what is parked before the tables of the projections: who reads both must not hold the
// latter first.
import { test } from 'tap'
import { projections } from '../../src/projections/index.ts'
import { findCards } from '../../src/projections/cards/reads.sql.ts'
import { createBalanceReader } from '../../src/projections/customers/reads.sql.ts'
import { awardData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

test('a read of a card or a balance that waits for what is parked holds no table of the projections', async t => {
  const ledger = await openLedger(t, { shards: 1 })
  await ledger.post(awardData({ points: 5 }))
  await ledger.project()
  for (const read of [async () => (await findCards(ledger.db, 'v_1', 1))[0], async () => (await createBalanceReader(ledger.db, projections)('cust_1', 0))?.cards[0]]) {
    const switcher = await ledger.owner.connect()
    try {
      await switcher.query('begin; lock table projection.parked in access exclusive mode')
      const reading = read()
      const { pid } = await waitUntil(async () => {
        const { rows: [waiting] } = await switcher.query<{ pid: number }>("select pid from pg_locks where relation = 'projection.parked'::regclass and not granted")
        return waiting
      }, { what: 'the read to wait' })
      const { rows: held } = await switcher.query<{ name: string }>(`
        select relation::regclass::text as name from pg_locks
        where pid = $1 and granted and relation in ('projection.cards'::regclass, 'projection.customers'::regclass)`, [pid])
      t.strictSame(held, [])
      await switcher.query('commit')
      t.match(await reading, { card_id: 'v_1', balance: 5n, parked_at: null })
    } finally {
      switcher.release()
    }
  }
})

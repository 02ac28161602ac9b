// A merchant who subscribed to the two event types this project began from, awards and paid orders, and to nothing
// else.
import { test } from 'tap'
import { storeDelivery } from '../../src/ingest/store-delivery.ts'
import { simulate } from '../../simulator/simulate.ts'
import { openLedger } from '../support/ledger.ts'

interface StatementLine { movement_id: string, kind: string, points: number, balance: number }

for (const chaos of ['none', 'low', 'high'] as const) {
  test(`fed with awards and paid orders only, ${chaos} chaos: the true balance at every award, and exactly what was not told is unexplained`, async t => {
    const ledger = await openLedger(t, { queueLimit: 10_000 })
    const { deliveries, world } = simulate({ seed: `seeds only, ${chaos}`, customers: 20, events: 900, chaos, sources: 'seeds' })
    const intake = { db: ledger.db, appender: ledger.appender, shards: 16 }
    await Promise.all(deliveries.filter(({ kind }) => kind !== 'forged' && kind !== 'conflict').map(async ({ body }) => await storeDelivery(body, intake)))
    await ledger.project()

    let awards = 0
    let untold = 0
    const wrong: unknown[] = []
    for (const card of world.cards) {
      const answer = await ledger.get(`/v1/cards/${card.now.id}/statement?limit=500`)
      if (answer.statusCode === 404) continue
      const { items } = answer.json<{ items: StatementLine[], next_cursor: string | null }>()
      const observed = new Map(items.map(line => [line.movement_id, line]))
      for (const { movement_id, points, balance } of card.movements) {
        const line = observed.get(movement_id)
        if (line === undefined) continue
        awards++
        if (line.points !== points || line.balance !== balance) wrong.push({ card: card.now.id, movement_id, truly: { points, balance }, line })
      }

      const heard = card.movements.map(({ movement_id }) => observed.has(movement_id))
      const between = card.movements.slice(heard.indexOf(true), heard.lastIndexOf(true))
      const missed = between.filter(({ movement_id }) => !observed.has(movement_id)).reduce((sum, { points }) => sum + points, 0)
      const sums = (await ledger.get(`/v1/cards/${card.now.id}`)).json<{ unexplained: number, opening: number, balance: number }>()
      const first = card.movements[heard.indexOf(true)]
      const last = card.movements[heard.lastIndexOf(true)]
      const truly = { opening: (first?.balance ?? 0) - (first?.points ?? 0), unexplained: missed, balance: last?.balance ?? 0 }
      if (sums.unexplained !== truly.unexplained || sums.opening !== truly.opening || sums.balance !== truly.balance) wrong.push({ card: card.now.id, truly, sums })
      untold += Math.abs(missed)
    }
    t.strictSame(wrong, [])
    t.ok(awards > 100, `${awards} awards had their true balance`)
    t.ok(untold > 0, `${untold} points moved untold, and show`)
  })
}

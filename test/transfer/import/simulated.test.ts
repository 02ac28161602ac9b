// A merchant who missed some of what the provider told imports an export of everything: then nothing is unexplained.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fc } from '../../support/chance.ts'
import { test } from 'tap'
import { csvEntries } from '../../../src/transfer/import/csv.ts'
import { importEntries } from '../../../src/transfer/import/import.ts'
import { storing } from '../../../src/transfer/import/sink.ts'
import { noCounts, type Counts, type Remark } from '../../../src/transfer/import/tally.ts'
import { storeDelivery } from '../../../src/ingest/store-delivery.ts'
import { exportOf } from '../../../simulator/export.ts'
import { expectationOf } from '../../../simulator/oracle/expectation.ts'
import { simulate } from '../../../simulator/simulate.ts'
import { history } from '../../support/histories.ts'
import { dumpProjections, openLedger } from '../../support/ledger.ts'

const SHARDS = 4

test('given histories of which parts were never told, when the export of everything is imported, then every card is as it truly is, once and for all', async t => {
  const simulations = fc.sample(history, 60).map(observed => ({ observed, ...simulate({ ...observed, chaos: 'high' }) }))
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  // False tellings that stand alone can contradict the export, and then a person decides.
  const deliveries = simulations.flatMap(({ deliveries }) => deliveries.filter(({ kind }) => kind === 'event'))
  await Promise.all(deliveries.map(async ({ body }) => await storeDelivery(body, intake)))
  await ledger.project()
  t.ok([...expectationOf(deliveries).cards.values()].some(({ unexplained }) => unexplained !== 0), 'something was missed')

  const file = join(t.testdir({}), 'export.csv')
  // Worlds that share a file, as the campaigns of a project do: one head.
  const [head] = exportOf({ campaigns: [], customers: [], cards: [], orders: [], gifts: [] })
  const rows = simulations.flatMap(({ world }) => [...exportOf(world)].slice(1))
  writeFileSync(file, [head, ...rows].join(''))
  const take = async (): Promise<Counts> => {
    const counts = noCounts()
    const remark = ({ line, what, reason }: Remark): void => { t.fail(`line ${line} is ${what}: ${reason}`) }
    await importEntries(csvEntries(file), storing(intake), { counts, remark, progress () {} })
    await ledger.project()
    return counts
  }
  const counts = await take()
  t.equal(counts.new + counts.duplicate + counts.ignored, rows.length)
  t.equal(counts.ignored, simulations.reduce((sum, { world }) => sum + world.gifts.length, 0), 'rows of gift cards')

  const { rows: cards } = await ledger.owner.query<{ card_id: string, balance: string, unexplained: string }>('select card_id, balance, unexplained from projection.cards')
  const found = new Map(cards.map(card => [card.card_id, card]))
  for (const { observed, world } of simulations) {
    for (const { now, rows } of world.cards) {
      // Of a card without a single row an export says nothing.
      if (rows.length === 0) continue
      const card = found.get(now.id)
      if (card?.balance !== String(now.balance) || card.unexplained !== '0') t.fail(`card ${now.id} of ${JSON.stringify(observed)}`, { balance: now.balance, found: card ?? null })
    }
  }

  const before = await dumpProjections(ledger.owner)
  t.match(await take(), { new: 0, stored: 0, conflict: 0, bad: 0 })
  t.strictSame(await dumpProjections(ledger.owner), before, 'again it changes nothing')
})

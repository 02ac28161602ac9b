import pg from 'pg'
import { test } from 'tap'
import { openCluster } from '../../../src/postgres/embedded/index.ts'
import { dataFolder, hold, query, serverOf, settings } from './support.ts'

test('processes that open at the same moment make one database and share one server; the last to release stops it', async t => {
  const dataDir = await dataFolder(t)
  const [first, second, third] = await Promise.all([hold(t, dataDir), hold(t, dataDir), hold(t, dataDir)])
  const holders = [first, second, third]
  t.equal(holders.filter(({ said }) => said.started).length, 1)
  t.equal(new Set(holders.map(({ said }) => said.url)).size, 1)
  await first.release()
  await second.release()
  t.ok(await serverOf(dataDir), 'it runs on for the third')
  await third.release()
  t.equal(await serverOf(dataDir), undefined)
})

test('one process may open it twice', async t => {
  const dataDir = await dataFolder(t)
  const [one, other] = await Promise.all([openCluster({ dataDir, settings }), openCluster({ dataDir, settings })])
  t.equal(one.url, other.url)
  await one.release()
  t.strictSame(await query(one.url, 'select 1 as n'), [{ n: 1 }])
  await other.release()
  t.equal(await serverOf(dataDir), undefined)
})

test('a connection of ours from a process that did not open it keeps it running; a psql does not', async t => {
  const dataDir = await dataFolder(t)
  const cluster = await openCluster({ dataDir, settings })
  const ours = new pg.Client({ connectionString: cluster.url, application_name: 'loyalty-ledger serve' })
  const psql = new pg.Client({ connectionString: cluster.url, application_name: 'psql' })
  for (const client of [ours, psql]) {
    client.on('error', () => {})
    await client.connect()
  }
  await cluster.release()
  t.ok(await serverOf(dataDir))
  await ours.end()
  const again = await openCluster({ dataDir, settings })
  t.equal(again.started, false)
  await again.release()
  t.equal(await serverOf(dataDir), undefined)
  await psql.end().catch(() => {})
})

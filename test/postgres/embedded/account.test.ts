import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { openCluster } from '../../../src/postgres/embedded/index.ts'
import { dataFolder, query, settings } from './support.ts'

const skip = process.getuid?.() !== 0 && 'only root runs PostgreSQL as another account'

test('root runs it as another account, and keeps the secrets', { skip }, async t => {
  const dataDir = await dataFolder(t)
  const cluster = await openCluster({ dataDir, settings })
  t.teardown(cluster.release)
  t.not(statSync(join(dataDir, 'postgres')).uid, 0)
  t.equal(statSync(join(dataDir, 'postgres')).mode & 0o777, 0o700)
  t.equal(statSync(join(dataDir, 'postgres.password')).uid, 0)
  t.equal(existsSync(join(dataDir, 'postgres.location')), false)
})

test('when that account cannot enter the data folder, the data goes elsewhere and the folder remembers', { skip }, async t => {
  const dataDir = join(await dataFolder(t), 'private')
  mkdirSync(dataDir, { mode: 0o700 })
  const lines: string[] = []
  const first = await openCluster({ dataDir, settings, log: line => { lines.push(line) } })
  const home = readFileSync(join(dataDir, 'postgres.location'), 'utf8').trim()
  t.teardown(async () => {
    await first.release()
    rmSync(home, { recursive: true })
  })
  t.match(lines.join('\n'), `the database is kept in ${home}`)
  t.strictSame(readdirSync(dataDir).sort(), ['database.url', 'postgres.location', 'postgres.log', 'postgres.password'])
  await query(first.url, 'create table kept as select 42 as n')
  await first.release()

  const second = await openCluster({ dataDir, settings })
  t.strictSame(await query(second.url, 'select n from kept'), [{ n: 42 }])
  await second.release()
})

test('a folder that was closed after the data was made is an error, not an empty database', { skip }, async t => {
  const outer = await dataFolder(t)
  const dataDir = join(outer, 'data')
  const cluster = await openCluster({ dataDir, settings })
  await cluster.release()
  chmodSync(outer, 0o700)
  await t.rejects(openCluster({ dataDir, settings }), { code: 'no_permission', message: /can no longer enter/ })
})

test('data that root brought back from a backup is given to the account', { skip }, async t => {
  const dataDir = await dataFolder(t)
  const cluster = await openCluster({ dataDir, settings })
  await cluster.release()
  const data = join(dataDir, 'postgres')
  chownSync(data, 0, 0)
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' })) chownSync(join(data, name), 0, 0)
  const again = await openCluster({ dataDir, settings })
  t.strictSame(await query(again.url, 'select 1 as n'), [{ n: 1 }])
  await again.release()
})

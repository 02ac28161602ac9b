import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { openCluster } from '../../../src/postgres/embedded/index.ts'
import { findPostmaster } from '../../../src/postgres/embedded/postmaster.ts'
import { dataFolder, query, settings } from './support.ts'

test('first use makes a database that only we can enter, and says where it is', async t => {
  const dataDir = join(await dataFolder(t), 'new', 'data')
  const lines: string[] = []
  const cluster = await openCluster({ dataDir, settings, log: line => { lines.push(line) } })
  t.teardown(cluster.release)
  t.equal(cluster.started, true)
  t.match(lines.join('\n'), /creating a new PostgreSQL/)

  const [facts] = await query(cluster.url, `
    select current_user as "user", current_database() as database, datlocprovider as provider, datlocale as locale,
           pg_encoding_to_char(encoding) as encoding, current_setting('data_checksums') as checksums,
           current_setting('listen_addresses') as listens, current_setting('unix_socket_directories') as sockets, current_setting('fsync') as fsync
    from pg_database where datname = current_database()`)
  t.strictSame(facts, {
    user: 'ledger', database: 'ledger', provider: 'b', locale: 'C.UTF-8', encoding: 'UTF8', checksums: 'on', listens: '127.0.0.1', sockets: '', fsync: 'off'
  })
  const methods = await query(cluster.url, 'select distinct auth_method from pg_hba_file_rules')
  t.strictSame(methods, [{ auth_method: 'scram-sha-256' }])
  await t.rejects(query(cluster.url.replace(/ledger:[^@]+@/, 'ledger:wrong@'), 'select 1'), { code: '28P01' })

  for (const name of ['postgres.password', 'database.url', 'postgres.log']) {
    t.equal(statSync(join(dataDir, name)).mode & 0o777, 0o600, `${name} is for us only`)
  }
  t.equal(readFileSync(join(dataDir, 'database.url'), 'utf8'), `${cluster.url}\n`)
  t.strictSame(readdirSync(dataDir).sort(), ['database.url', 'postgres', 'postgres.log', 'postgres.password'])
})

test('the next time: the same data, password and port; another port when that one is taken', async t => {
  const dataDir = await dataFolder(t)
  const first = await openCluster({ dataDir, settings })
  await query(first.url, 'create table kept as select 42 as n')
  await first.release()
  await first.release()
  t.equal(await findPostmaster(join(dataDir, 'postgres')), undefined, 'releasing stopped it')
  await t.rejects(query(first.url, 'select 1'))

  const second = await openCluster({ dataDir, settings })
  t.equal(second.url, first.url)
  t.strictSame(await query(second.url, 'select n from kept'), [{ n: 42 }])
  await second.release()

  const intruder = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
  t.teardown(() => { intruder.close() })
  const third = await openCluster({ dataDir, settings })
  t.teardown(third.release)
  t.not(third.url, first.url)
  t.strictSame(await query(third.url, 'select n from kept'), [{ n: 42 }])
})

test('a first use that was killed in the middle does not spoil the folder', async t => {
  const dataDir = await dataFolder(t)
  mkdirSync(join(dataDir, 'postgres.init-dead', 'base'), { recursive: true })
  writeFileSync(join(dataDir, 'postgres.init-dead', 'PG_VERSION'), '18\n')
  writeFileSync(join(dataDir, 'postgres.init-dead.password'), 'x')
  writeFileSync(join(dataDir, 'postgres.lock'), `999999999 ${hostname()} x\n`)
  const cluster = await openCluster({ dataDir, settings })
  t.teardown(cluster.release)
  t.strictSame(readdirSync(dataDir).filter(name => /init-|lock/.test(name)), [])
})

test('the log does not grow for ever', async t => {
  const dataDir = await dataFolder(t)
  writeFileSync(join(dataDir, 'postgres.log'), 'old\n', { mode: 0o600 })
  truncateSync(join(dataDir, 'postgres.log'), 11_000_000)
  const cluster = await openCluster({ dataDir, settings })
  t.teardown(cluster.release)
  t.ok(statSync(join(dataDir, 'postgres.log')).size < 100_000)
  t.match(readFileSync(join(dataDir, 'postgres.log'), 'utf8'), /ready to accept connections/)
})

test('what is in the way is named, and what to do about it', async t => {
  t.test('data of another major version', async t => {
    const dataDir = await dataFolder(t)
    mkdirSync(join(dataDir, 'postgres'))
    writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), '16\n')
    writeFileSync(join(dataDir, 'postgres.password'), 'x\n')
    await t.rejects(openCluster({ dataDir }), { name: 'EmbeddedPostgresError', code: 'other_version', message: /made by PostgreSQL 16.*pg_dump.*move/ })
  })
  t.test('something that is no database', async t => {
    const dataDir = await dataFolder(t)
    mkdirSync(join(dataDir, 'postgres'))
    writeFileSync(join(dataDir, 'postgres', 'photo.jpg'), '')
    await t.rejects(openCluster({ dataDir }), { code: 'not_a_cluster' })
  })
  t.test('a lost or wrong password', async t => {
    const dataDir = await dataFolder(t)
    const cluster = await openCluster({ dataDir, settings })
    rmSync(join(dataDir, 'postgres.password'))
    await t.rejects(openCluster({ dataDir }), { code: 'password_missing' })
    writeFileSync(join(dataDir, 'postgres.password'), 'wrong\n')
    await t.rejects(openCluster({ dataDir }), { code: 'password_refused' })
    await cluster.release()
  })
  t.test('a setting that PostgreSQL refuses', async t => {
    const dataDir = await dataFolder(t)
    await t.rejects(openCluster({ dataDir, settings: { shared_buffers: 'plenty' } }), { code: 'start_failed', message: /shared_buffers/ })
  })
  t.test('a data folder that is a file', async t => {
    const dataDir = join(await dataFolder(t), 'file')
    writeFileSync(dataDir, '')
    await t.rejects(openCluster({ dataDir }), { name: 'EmbeddedPostgresError', code: 'unexpected' })
  })
  t.test('data kept elsewhere that is gone', async t => {
    const folder = await dataFolder(t)
    const dataDir = join(folder, 'inner')
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'postgres.location'), '/nowhere/at/all\n')
    await t.rejects(openCluster({ dataDir }), { code: 'data_missing', message: /\/nowhere\/at\/all/ })
  })
})

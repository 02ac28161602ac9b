import { spawn } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { openCluster } from '../../../src/postgres/embedded/index.ts'
import { isAlive } from '../../../src/postgres/embedded/postmaster.ts'
import { waitUntil } from '../../support/wait.ts'
import { dataFolder, hold, query, serverOf, settings } from './support.ts'

test('a server whose process was killed is adopted', async t => {
  const dataDir = await dataFolder(t)
  const holder = await hold(t, dataDir)
  const before = await serverOf(dataDir)
  await query(holder.said.url, 'create table kept as select 42 as n')
  await holder.kill()
  t.equal(await serverOf(dataDir), before, 'it outlives the kill')
  const cluster = await openCluster({ dataDir, settings })
  t.equal(cluster.started, false)
  t.equal(cluster.url, holder.said.url)
  t.equal(await serverOf(dataDir), before)
  t.strictSame(await query(cluster.url, 'select n from kept'), [{ n: 42 }])
  await cluster.release()
  t.equal(await serverOf(dataDir), undefined)
})

test('the server has a session of its own: Ctrl-C does not reach it', async t => {
  const dataDir = await dataFolder(t)
  const holder = await hold(t, dataDir, { detached: true })
  // What a terminal does: SIGINT to the whole foreground group.
  process.kill(-(holder.process.pid ?? 0), 'SIGINT')
  await waitUntil(() => holder.process.signalCode)
  t.ok(await serverOf(dataDir))
})

test('a server that was killed is started again under those who have it open, where it was', async t => {
  const dataDir = await dataFolder(t)
  const cluster = await openCluster({ dataDir, settings })
  await query(cluster.url, 'create table kept as select 42 as n')
  const pid = await serverOf(dataDir) ?? 0
  process.kill(pid, 'SIGKILL')
  await waitUntil(async () => !await isAlive(pid))
  t.strictSame(await waitUntil(async () => await query(cluster.url, 'select n from kept'), { what: 'the server to come back' }), [{ n: 42 }])
  t.not(await serverOf(dataDir), pid)
  const again = await openCluster({ dataDir, settings })
  t.equal(again.started, false)
  await cluster.release()
  t.ok(await serverOf(dataDir), 'the release of one leaves it to the other')
  await again.release()
  t.notOk(await serverOf(dataDir), 'once released it is not started again')
})

test('a stale postmaster.pid whose number now belongs to another program does not stop the start', async t => {
  const dataDir = await dataFolder(t)
  const cluster = await openCluster({ dataDir, settings })
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid')
  const content = readFileSync(pidFile, 'utf8')
  await cluster.release()
  // Of the account that runs postgres: PostgreSQL itself forgives a number that belongs to another one.
  const { uid, gid } = statSync(join(dataDir, 'postgres'))
  const stranger = spawn('sleep', ['100'], { uid, gid, stdio: 'ignore' })
  t.teardown(() => { stranger.kill() })
  writeFileSync(pidFile, content.replace(/^\d+/, String(stranger.pid)))
  const lines: string[] = []
  const again = await openCluster({ dataDir, settings, log: line => { lines.push(line) } })
  t.equal(again.started, true)
  t.match(lines.join('\n'), /did not stop in order/)
  await again.release()
  t.equal(stranger.exitCode ?? stranger.signalCode, null, 'and the other program was left alone')
})

test('while it goes down, opening waits and starts it again', async t => {
  const dataDir = await dataFolder(t)
  const cluster = await openCluster({ dataDir, settings })
  process.kill(await serverOf(dataDir) ?? 0, 'SIGINT')
  const again = await openCluster({ dataDir, settings })
  t.strictSame(await query(again.url, 'select 1 as n'), [{ n: 1 }])
  await cluster.release()
  await again.release()
})

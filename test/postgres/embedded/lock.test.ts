import { readdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { withLock } from '../../../src/postgres/embedded/lock.ts'

test('one at a time, however many wait', async t => {
  const path = join(t.testdir(), 'lock')
  let inside = 0
  let most = 0
  await Promise.all(Array.from({ length: 8 }, async () => {
    await withLock(path, async () => {
      most = Math.max(most, ++inside)
      await sleep(5)
      inside--
    })
  }))
  t.equal(most, 1)
  t.strictSame(readdirSync(t.testdirName), [])
})

test('the lock of a dead process is broken by one of those that wait, and by no more', async t => {
  const path = join(t.testdir(), 'lock')
  writeFileSync(path, `999999999 ${hostname()} x\n`)
  let inside = 0
  let most = 0
  await Promise.all(Array.from({ length: 8 }, async () => {
    await withLock(path, async () => {
      most = Math.max(most, ++inside)
      await sleep(5)
      inside--
    })
  }))
  t.equal(most, 1)
  t.strictSame(readdirSync(t.testdirName), [])
})

test('an earlier life of ours with the same process number (a restarted container) holds nothing', async t => {
  const path = join(t.testdir(), 'lock')
  writeFileSync(path, `${process.pid} ${hostname()} x\n`)
  t.equal(await withLock(path, async () => await Promise.resolve('done')), 'done')
})

test('a failure gives the lock back; a lock that became another’s is left alone', async t => {
  const path = join(t.testdir(), 'lock')
  await t.rejects(withLock(path, async () => await Promise.reject(new Error('no'))), { message: 'no' })
  t.strictSame(readdirSync(t.testdirName), [])
  await withLock(path, async () => { await writeFile(path, 'another\n') })
  t.strictSame(readdirSync(t.testdirName), ['lock'])
})

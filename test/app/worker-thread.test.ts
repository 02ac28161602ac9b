import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { startWorkerThread } from '../../src/app/worker.ts'
import type { Stepped } from '../../src/engine/step.ts'
import { awardData } from '../support/deliveries.ts'
import { openLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'

const settings = { role: 'ledger_service', timeout_ms: 15_000, poolSize: 3, batch: 100, logLevel: 'silent' }

test('a worker in a thread of its own projects, tells of its steps and of its health, and ends in order', async t => {
  const ledger = await openLedger(t)
  const stepped: Stepped[] = []
  const thread = startWorkerThread({ ...settings, url: ledger.url }, step => { stepped.push(step) })
  t.teardown(thread.stop)
  t.match(await thread.health(), { alive: true, resting: { length: 0 }, outdated: { length: 0 } })
  await ledger.post(awardData({ points: 7 }))
  thread.nudge()
  await waitUntil(() => stepped.length > 0, { what: 'a step to be told of' })
  t.match(stepped, [{ shard: Number, position: 1n, events: 1 }])
  t.match(await ledger.owner.query('select balance from projection.cards').then(({ rows }) => rows as object[]), [{ balance: '7' }])

  await ledger.owner.query('update ledger.shards set head = head + 1 where shard = $1', [stepped[0]?.shard])
  thread.nudge()
  const failing = await waitUntil(async () => {
    const { resting } = await thread.health()
    return resting.length > 0 ? resting : undefined
  }, { what: 'a failure to be told of' })
  t.match(failing, [{ shard: stepped[0]?.shard, reason: /is missing from the log/ }])

  const asked = thread.health()
  await thread.stop()
  t.equal((await asked).alive, true, 'what was asked before is answered')
  t.match(await thread.health(), { alive: false })
  thread.nudge()
  await thread.stop()
})

test('a thread that fails takes the process with it: a worker that is gone must not go unnoticed', async t => {
  const module = import.meta.resolve('../../src/app/worker.js')
  const script = join(t.testdir(), 'script.mjs')
  await writeFile(script, `import { startWorkerThread } from ${JSON.stringify(module)}
    startWorkerThread({ ...${JSON.stringify(settings)}, url: 'postgres://127.0.0.1:1/none', logLevel: 'no level' }, () => {})
    setInterval(() => {}, 1000)`)
  const { code, said } = await new Promise<{ code: unknown, said: string }>(resolve => {
    execFile(process.execPath, [...process.execArgv, script], { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error?.code, said: stdout + stderr })
    })
  })
  t.equal(code, 1)
  t.match(said, /no level/)
})

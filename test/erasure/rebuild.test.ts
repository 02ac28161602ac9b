// An erasure beside a rebuild: what is personal must not come to live again with the rows that the rebuild folded.
import { test, type Test } from 'tap'
import { projections } from '../../src/projections/index.ts'
import { beginRebuild, buildUp, switchRebuilt } from '../../src/engine/rebuild/rebuild.ts'
import { runStep } from '../../src/engine/step.ts'
import { verifyProjections, type ProjectionFinding } from '../../src/engine/rebuild/verify.ts'
import { SECRETS } from '../providers/voucherify/personal.ts'
import { findEverywhere } from '../support/everywhere.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import { waitUntil } from '../support/wait.ts'
import { openProjectionSchema, openWorkplace } from '../support/workplace.ts'
import { erase, ownerOf, plantedHistory, SHARDS, takeAll } from './support.ts'

async function filled (t: Test): Promise<{ ledger: TestLedger, customer_id: string }> {
  const ledger = await openLedger(t, { shards: SHARDS, queueLimit: 20_000 })
  const { customer_id, bodies } = plantedHistory({ seed: 5, customers: 2, events: 120 })
  await takeAll(ledger, bodies)
  await ledger.project()
  return { ledger, customer_id }
}

async function switched (t: Test, ledger: TestLedger): Promise<ProjectionFinding[]> {
  const workplace = openWorkplace(t, ledger.url)
  await switchRebuilt(workplace, projections, { batch: 500, tries: 5 })
  const findings: ProjectionFinding[] = []
  await verifyProjections(openProjectionSchema(t, ledger.url, 'pg_temp'), projections, { batch: 500, limit: 5, found: finding => { findings.push(finding) }, unnamed () {} })
  return findings
}

test('a rebuild that begins while an erasure waits for a step', async t => {
  const { ledger, customer_id } = await filled(t)
  const workplace = openWorkplace(t, ledger.url)
  const worker = await ledger.owner.connect()
  t.teardown(() => { worker.release(true) })
  await worker.query('begin')
  await worker.query('select from projection.checkpoints order by shard limit 1 for update')
  const erasing = erase(ownerOf(t, ledger), customer_id)
  const waiting = async (of: string): Promise<boolean> => (await ledger.owner.query(
    "select from pg_stat_activity where wait_event_type = 'Lock' and query like $1 and datname = current_database()", [`%${of}%`])).rowCount === 1
  await waitUntil(async () => await waiting('from checkpoints c'), { what: 'the erasure to wait' })
  let built = false
  const building = beginRebuild(workplace, projections).then(async () => {
    await buildUp(workplace, projections, { batch: 500 })
    built = true
  })
  await waitUntil(async () => built || await waiting('loyalty-ledger rebuild'), { what: 'the rebuild to be built, or to wait' })
  await worker.query('commit')
  await Promise.all([erasing, building])
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [], 'no secret in any generation')
  t.strictSame(await switched(t, ledger), [])
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [], 'nor after the switch')
})

test('an erasure while a rebuild is half built', async t => {
  const { ledger, customer_id } = await filled(t)
  const workplace = openWorkplace(t, ledger.url)
  await beginRebuild(workplace, projections)
  for (let steps = 0; steps < 6; steps++) await runStep(workplace.build, projections, { batch: 20 })
  const { rows: secret } = await ledger.owner.query('select from projection_build.customers where name is not null')
  t.not(secret.length, 0, 'it has folded names')
  await erase(ownerOf(t, ledger), customer_id)
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [], 'no secret in any generation')
  await buildUp(workplace, projections, { batch: 500 })
  t.strictSame(await switched(t, ledger), [])
  t.strictSame(await findEverywhere(ledger.owner, SECRETS), [], 'nor after the switch')
})

import { test, type Test } from 'tap'
import { eraseCommand, type EraseCommandOptions } from '../../src/cli/erase.ts'
import { loadConfig } from '../../src/config.ts'
import { awardData } from '../support/deliveries.ts'
import { findEverywhere } from '../support/everywhere.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'
import pg from 'pg'

interface Said { result: string[], code: string | undefined }

async function run (ledger: TestLedger, customer: string, options: Partial<EraseCommandOptions> = {}, { json = true, url = ledger.url } = {}): Promise<Said> {
  const said: Said = { result: [], code: undefined }
  const output = { json, result: (text: string) => { said.result.push(text) }, write: async () => {}, progress: () => {} }
  await eraseCommand(loadConfig({ DATABASE_URL: url }), output, customer, { reason: 'on request', dryRun: false, yes: false, ...options })
    .catch((error: unknown) => { said.code = (error as { code: string }).code })
  return said
}

async function filled (t: Test): Promise<TestLedger> {
  const ledger = await openLedger(t)
  await ledger.post({ ...awardData(), note: 'for Ada Lovelace', customer: { ...awardData().customer, name: 'Ada Lovelace', email: 'ada@example.com' } })
  return ledger
}

test('it says what it would do, asks for a yes, does it once, and then has nothing left to do', async t => {
  const ledger = await filled(t)
  const dryRunAnswered = await run(ledger, 'cust_1', { dryRun: true })
  t.match(dryRunAnswered, { code: undefined })
  t.match(JSON.parse(dryRunAnswered.result[0] ?? ''), { customer_id: 'cust_1', dry_run: true, erased: { events: 1, quarantined: 0 }, recorded: [] })
  t.match(await run(ledger, 'cust_1'), { code: 'confirmation_missing', result: [/"dry_run":true/] })
  t.match(await run(ledger, 'cust_1', { dryRun: true, yes: true }), { result: [/"dry_run":true/] }, 'of both, the careful one counts')
  t.not((await findEverywhere(ledger.owner, ['Lovelace'])).length, 0, 'nothing is written until then')
  t.match(await run(ledger, 'cust_1', { yes: true }, { json: false }), { code: undefined, result: [/^Erased personal data of cust_1 in 1 events and 0 quarantine rows\. .* Recorded as erasure:/] })
  t.strictSame(await findEverywhere(ledger.owner, ['Lovelace', 'ada@example.com']), [])
  t.match(await run(ledger, 'cust_1', { yes: true }, { json: false }), { code: undefined, result: [/^No personal data of cust_1 is left\./] })
})

test('it refuses what cannot be meant, and says what to do', async t => {
  const ledger = await filled(t)
  await ledger.project()
  t.match(await run(ledger, 'cust_nobody', { yes: true }), { code: 'customer_unknown', result: [] })
  t.match(await run(ledger, 'cust_1', { reason: ' ', yes: true }), { code: 'reason_missing' })
  for (const reason of ['ada@example.com asked', 'Mrs Lovelace asked', 'request of ada, 12 May']) {
    t.match(await run(ledger, 'cust_1', { reason, yes: true }), { code: 'reason_names_customer' }, reason)
  }
  t.not((await findEverywhere(ledger.owner, ['Lovelace'])).length, 0)
})

test('a customer of whom only quarantine holds something is known', async t => {
  const ledger = await openLedger(t)
  await ledger.post('{"customer":{"id":"cust_half","name":"Half Aword"}')
  await ledger.post({ customer: { id: 'cust_half', name: 'Half Aword', object: 'customer' }, strange: true })
  t.match(await run(ledger, 'cust_half', { yes: true }, { json: false }), { code: undefined, result: [/0 events and 2 quarantine rows/] })
  t.strictSame(await findEverywhere(ledger.owner, ['Aword']), [])
})

test('only the owner of the ledger erases', async t => {
  const ledger = await filled(t)
  const name = `clerk_${process.pid}_${Math.abs(Number(process.hrtime.bigint() % 1_000_000n))}`
  const admin = new pg.Client({ connectionString: ledger.url })
  await admin.connect()
  await admin.query(`create role ${name} login password 'clerk' in role ledger_service`)
  t.teardown(async () => {
    await admin.query(`drop role ${name}`)
    await admin.end()
  })
  const url = new URL(ledger.url)
  url.username = name
  url.password = 'clerk'
  t.match(await run(ledger, 'cust_1', { yes: true }, { url: url.href }), { code: 'owner_needed', result: [] })
})

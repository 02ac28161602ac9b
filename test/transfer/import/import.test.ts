import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { test } from 'tap'
import { csvEntries } from '../../../src/transfer/import/csv.ts'
import { checkEntries, importEntries } from '../../../src/transfer/import/import.ts'
import { ndjsonEntries } from '../../../src/transfer/import/ndjson.ts'
import { dryRunning, storing } from '../../../src/transfer/import/sink.ts'
import { noCounts, type Counts, type Remark, type ImportTally } from '../../../src/transfer/import/tally.ts'
import type { Entry } from '../../../src/transfer/import/entry.ts'
import { redrive } from '../../../src/ingest/quarantine/redrive.ts'
import { catchUp } from '../../../src/engine/catch-up.ts'
import { projections } from '../../../src/projections/index.ts'
import { markDiscarded } from '../../../src/ingest/quarantine/quarantine.sql.ts'
import { run } from '../../support/cli.ts'
import { createDatabase } from '../../support/database.ts'
import { awardData, enveloped } from '../../support/deliveries.ts'
import { dumpProjections, openLedger, type TestLedger } from '../../support/ledger.ts'

type Test = Parameters<typeof openLedger>[0]

/** A row of the provider's card ledger: as a webhook carries it and as an export does. */
interface Row { id: string, type: string, amount: number, balance: number | '', at: string, details?: object }

const ROWS: Row[] = [
  { id: 'vtx_1', type: 'POINTS_ACCRUAL', amount: 100, balance: 100, at: '2026-01-01T10:00:00.000Z', details: { event: { id: 'evcus_1', type: 'customer.order.paid' }, earning_rule: { id: 'ern_1' }, order: { id: 'ord_1', source_id: null } } },
  { id: 'vtx_2', type: 'POINTS_REDEMPTION', amount: -30, balance: 70, at: '2026-01-02T10:00:00.000Z', details: { redemption: { id: 'r_1' } } },
  { id: 'vtx_3', type: 'POINTS_ADDITION', amount: 5, balance: 75, at: '2026-01-03T10:00:00.000Z' },
  { id: 'vtx_4', type: 'POINTS_ACCRUAL', amount: 50, balance: 125, at: '2026-01-04T10:00:00.000Z', details: { event: { id: 'evcus_2', type: 'customer.order.paid' }, earning_rule: { id: 'ern_1' } } },
  { id: 'vtx_5', type: 'POINTS_EXPIRATION', amount: -25, balance: 100, at: '2026-01-05T10:00:00.000Z' }
]

const COLUMNS = ['id', 'campaign_id', 'voucher_id', 'type', 'source_id', 'reason', 'source', 'balance', 'amount', 'related_transaction_id', 'created_at', 'details']

function csv (rows: readonly Row[], card = 'v_1'): string {
  const cell = (text: string): string => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  return [COLUMNS, ...rows.map(({ id, type, amount, balance, at, details }) =>
    [id, 'camp_1', card, type, '', '', 'API', String(balance), String(amount), '', at, details === undefined ? '' : JSON.stringify(details)])]
    .map(row => row.map(cell).join(',')).join('\n') + '\n'
}

function observed ({ id, type, amount, balance, at, details }: Row): object {
  return enveloped({
    transaction: { id, type, voucher_id: 'v_1', campaign_id: 'camp_1', source: 'API', reason: null, source_id: null, related_transaction_id: null, created_at: at, details: { balance: { points: amount, balance, total: balance, object: 'balance' }, ...details } },
    voucher: { id: 'v_1', code: 'CODE', type: 'LOYALTY_CARD', holder_id: 'cust_1', campaign: 'Points', campaign_id: 'camp_1', object: 'voucher' },
    holder: { id: 'cust_1', object: 'customer' }
  }, { id: `ev_${id}`, eventType: 'voucher.loyalty_card.transaction.created', at })
}

function fileOf (t: Test, name: string, text: string): string {
  const file = join(t.testdirName, name)
  writeFileSync(file, text)
  return file
}

const SHARDS = 16

/** Takes a file in, as the command does, and projects it. */
async function take (ledger: TestLedger, entries: AsyncIterable<Entry>, options: { dryRun?: boolean } = {}): Promise<{ counts: Counts, remarks: Remark[] }> {
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  await catchUp(ledger.db, projections, { batch: 100, wait_ms: 1000 })
  const tally = tallying()
  await importEntries(entries, options.dryRun === true ? dryRunning(intake) : storing(intake), tally)
  await ledger.project()
  return tally
}

function tallying (): ImportTally & { remarks: Remark[] } {
  const remarks: Remark[] = []
  return { counts: noCounts(), remarks, remark: remark => { remarks.push(remark) }, progress () {} }
}

async function card (ledger: TestLedger): Promise<Record<string, unknown>> {
  return (await ledger.get('/v1/cards/v_1')).json()
}

async function written (ledger: TestLedger): Promise<unknown> {
  const heads = await ledger.owner.query('select shard, head from ledger.shards order by shard')
  const aside = await ledger.owner.query('select count(*) from ledger.quarantine')
  return [heads.rows, aside.rows, await dumpProjections(ledger.owner)]
}

test('importing what webhooks told changes nothing at all', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  for (const row of ROWS) t.equal((await ledger.post(observed(row))).statusCode, 202)
  await ledger.project()
  const before = await written(ledger)
  const file = fileOf(t, 'card.csv', csv(ROWS))
  for (const dryRun of [true, false, false]) {
    const { counts } = await take(ledger, csvEntries(file), { dryRun })
    t.match(counts, { new: 0, duplicate: 5, conflict: 0, bad: 0, stored: 0 })
  }
  t.strictSame(await written(ledger), before)
})

test('importing what was missed removes the unexplained lines', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  for (const row of [ROWS[0], ROWS[3]]) await ledger.post(observed(row as Row))
  await ledger.project()
  t.match(await card(ledger), { balance: 125, unexplained: -25, movements: 2 })

  const file = fileOf(t, 'campaign.csv', csv(ROWS))
  const before = await written(ledger)
  t.match((await take(ledger, csvEntries(file), { dryRun: true })).counts, { new: 3, duplicate: 2, stored: 3 })
  t.strictSame(await written(ledger), before, 'a rehearsal writes nothing')
  t.match((await take(ledger, csvEntries(file))).counts, { new: 3, duplicate: 2, conflict: 0, bad: 0, stored: 3 })
  t.match(await card(ledger), { balance: 100, unexplained: 0, movements: 5, opening: 0, earned: 150, spent: 30, adjusted: 5, expired: 25 })
  t.match((await take(ledger, csvEntries(file))).counts, { new: 0, duplicate: 5, stored: 0 }, 'and once')
})

test('an award learned without its row is the same movement: told once more, counted once', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  await ledger.post(awardData({ trigger: 'evcus_1', rule: 'ern_1', points: 100, balance: 100 }))
  await ledger.project()
  const { counts } = await take(ledger, csvEntries(fileOf(t, 'card.csv', csv(ROWS.slice(0, 1)))))
  t.match(counts, { new: 0, duplicate: 1, stored: 1 })
  t.match(await card(ledger), { balance: 100, earned: 100, unexplained: 0, movements: 1, customer_id: 'cust_1' })
})

test('several files in any order, together or alone, come to the same rows', async t => {
  t.testdir({})
  const parts = [ROWS.slice(0, 2), ROWS.slice(1, 4), ROWS.slice(3)].map((rows, index) => fileOf(t, `part-${index}.csv`, csv(rows)))
  const dumps: unknown[] = []
  for (const order of [[0, 1, 2], [2, 0, 1], [1, 2, 0]]) {
    const ledger = await openLedger(t)
    const totals = { new: 0, duplicate: 0 }
    for (const index of order) {
      const { counts } = await take(ledger, csvEntries(parts[index] as string))
      totals.new += counts.new
      totals.duplicate += counts.duplicate
    }
    t.strictSame(totals, { new: 5, duplicate: 2 })
    dumps.push(await dumpProjections(ledger.owner, { recordedAt: false }))
  }
  t.strictSame(dumps[1], dumps[0])
  t.strictSame(dumps[2], dumps[0])
})

test('a row that contradicts what was told waits in quarantine, and a person can let it in', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  await ledger.post(observed(ROWS[0] as Row))
  await ledger.project()
  const file = fileOf(t, 'card.csv', csv([{ ...ROWS[0] as Row, amount: 90 }, ROWS[1] as Row]))
  t.match((await take(ledger, csvEntries(file), { dryRun: true })).counts, { new: 1, conflict: 1 })
  const { counts, remarks } = await take(ledger, csvEntries(file))
  t.match(counts, { new: 1, conflict: 1, stored: 1 })
  t.match(remarks, [{ line: 2, what: 'conflict', reason: /ev_vtx_1 about transaction:vtx_1/ }])
  t.match(await card(ledger), { balance: 70, earned: 100 }, 'what was told first stands')
  const { items } = (await ledger.get('/v1/quarantine')).json()
  t.match(items, [{ reason: 'contradicts_movement', event_id: 'ev_vtx_1', subject: 'transaction:vtx_1' }])
  const shown = (await ledger.get(`/v1/quarantine/${items[0].quarantine_id}`)).json()
  t.match(shown.differences.facts, [{ path: 'points', stored: '100', received: '90' }])
  t.match(await redrive(BigInt(items[0].quarantine_id), 'test', { db: ledger.db, appender: ledger.appender, shards: SHARDS }), { status: 'redriven', event: 'accepted' })
  await ledger.project()
  t.match(await card(ledger), { balance: 70, earned: 100 }, 'as one more telling: the provider\'s own event still knows better')
})

test('what a person decided about a row stays decided, however often the import runs', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  await ledger.post(observed(ROWS[0] as Row))
  const file = fileOf(t, 'card.csv', csv([{ ...ROWS[0] as Row, amount: 90, balance: 90 }]))
  t.match((await take(ledger, csvEntries(file))).remarks, [{ line: 2, what: 'conflict', reason: /it waits in quarantine as row 1$/ }])
  const intake = { db: ledger.db, appender: ledger.appender, shards: SHARDS }
  t.match(await redrive(1n, 'me', intake), { status: 'redriven', event: 'accepted', event_id: 'export:vtx_1' })
  const row = async (): Promise<unknown> => (await ledger.owner.query('select state, decided_by, times_seen from ledger.quarantine')).rows
  for (const projected of [true, false]) {
    if (projected) await ledger.project()
    else await ledger.owner.query("delete from projection.movement_observations where event_id like 'export:%'")
    t.match(await take(ledger, csvEntries(file)), { counts: { duplicate: 1, conflict: 0, stored: 0 }, remarks: [] }, projected ? 'its event is stored' : 'also where the projections do not know it yet')
    t.strictSame(await row(), [{ state: 'redriven', decided_by: 'me', times_seen: '1' }])
  }

  const other = fileOf(t, 'other.csv', csv([{ ...ROWS[0] as Row, amount: 80, balance: 80 }]))
  await take(ledger, csvEntries(other))
  t.equal(await markDiscarded(ledger.db, 2n, 'a wrong export', 'me'), true)
  for (const dryRun of [true, false]) {
    const { counts, remarks } = await take(ledger, csvEntries(other), { dryRun })
    t.match(counts, { conflict: 0, discarded: 1, stored: 0 }, 'a person has decided: nothing is left to do')
    t.strictSame(remarks, [])
  }
})

test('a row that is stored is not accused by what came after it', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const file = fileOf(t, 'card.csv', csv([{ ...ROWS[0] as Row, amount: 90, balance: 90 }]))
  await take(ledger, csvEntries(file))
  t.equal((await ledger.post(observed(ROWS[0] as Row))).statusCode, 202)
  await ledger.project()
  t.match(await take(ledger, csvEntries(file)), { counts: { duplicate: 1, conflict: 0 }, remarks: [] })
  t.equal((await ledger.owner.query('select from ledger.quarantine')).rowCount, 0)
})

test('a row that knows the order, the rule or a better kind is stored although its points are known', async t => {
  t.testdir({})
  const [bare, full] = [{ ...ROWS[0] as Row, details: { event: { id: 'evcus_1' }, earning_rule: { id: 'ern_1' } } }, ROWS[0] as Row]
  const ledger = await openLedger(t)
  await ledger.post(observed(bare))
  t.match((await take(ledger, csvEntries(fileOf(t, 'full.csv', csv([full]))))).counts, { duplicate: 1, stored: 1 })
  t.match((await ledger.get('/v1/cards/v_1/statement')).json().items, [{ movement_id: 'award:evcus_1:ern_1:v_1', order_id: 'ord_1', points: 100 }])
  t.match((await take(ledger, csvEntries(fileOf(t, 'bare.csv', csv([{ ...bare, balance: '' }]))))).counts, { duplicate: 1, stored: 0 }, 'one that knows less adds nothing')
})

test('exports as they really come: marks, line ends, quotes, capitals, times without a zone', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const text = '\ufeffID,Campaign ID,Voucher ID,Type,Source ID,Reason,Source,Balance,Amount,Related Transaction ID,Created At,Details\r\n' +
    'vtx_1,camp_1,v_1,POINTS_ACCRUAL,,,API,100,+100,,2026-01-01 10:00:00.125,"{""event"":{""id"":""evcus_1""},\r\n""earning_rule"":{""id"":""ern_1""}}"\r\n' +
    '\r\n' +
    'vtx_9,camp_2,v_gift,CREDITS_ADDITION,,,API,500,500,,2026-01-01 10:00:00,\r\n' +
    'vtx_2,camp_1,v_1,POINTS_REMOVAL,,"said ""no"", twice",API,,-40,,2026-01-02 10:00:00 UTC,null'
  const { counts, remarks } = await take(ledger, csvEntries(fileOf(t, 'card.csv', text)))
  t.strictSame(remarks, [])
  t.match(counts, { new: 2, ignored: 1, stored: 2 })
  const { items } = (await ledger.get('/v1/cards/v_1/statement')).json()
  t.match(items, [
    { kind: 'removal', points: -40, balance: 60, reported_balance: null, occurred_at: '2026-01-02T10:00:00.000000Z' },
    { movement_id: 'award:evcus_1:ern_1:v_1', kind: 'accrual', points: 100, balance: 100, occurred_at: '2026-01-01T10:00:00.125000Z' }
  ])
})

test('rows whose times an export cut to the second are counted where they are stored', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const cut = (row: Row | undefined): Row => ({ ...row as Row, at: (row as Row).at.replace('.000Z', 'Z') })
  await ledger.post(observed(ROWS[0] as Row))
  const file = fileOf(t, 'card.csv', csv([cut(ROWS[0]), cut(ROWS[1]), ROWS[2] as Row]))
  t.match((await take(ledger, csvEntries(file))).counts, { new: 2, duplicate: 1, stored: 2, to_the_second: 1 })
  const other = fileOf(t, 'other.csv', csv([cut(ROWS[3])]))
  const { code, stdout } = await run(t, ['import', other], { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data') })
  t.equal(code, 0)
  t.match(stdout, /1 event\(s\) stored\.\n1 of them states its time to the second only/)
})

test('the help says which files, what an exit status means, and that running again is safe', async t => {
  const { stdout } = await run(t, ['import', '--help'])
  for (const says of [/id, voucher_id, type, amount, created_at, details/, /pipe/, /conflict/, /not 0/, /again is always safe/]) t.match(stdout, says)
})

test('a bad line is named by its number and harms no other', async t => {
  t.testdir({})
  const lines = csv(ROWS).split('\n')
  const bad: Array<[line: string, reason: RegExp]> = [
    [(lines[1] as string).replace(',100,100,', ',100,12.5,'), /row\.amount: "12\.5" is not a whole number/],
    [(lines[1] as string).replace(',100,100,', ',100,9007199254740993,'), /9007199254740991/],
    [(lines[1] as string).replace('vtx_1', ''), /transaction\.id/],
    [(lines[1] as string).replace('2026-01-01T10:00:00.000Z', 'last week'), /timestamp/],
    ['vtx_1,too,few', /not a row of this file/],
    [(lines[1] as string).replace(/"\{.*\}"/, '"{oh"'), /row\.details: a JSON object is needed/]
  ]
  for (const [line, reason] of bad) {
    const file = fileOf(t, 'bad.csv', [lines[0], lines[2], line, lines[3], ''].join('\n'))
    const tally = tallying()
    await checkEntries(csvEntries(file), tally)
    t.match(tally, { counts: { bad: 1 }, remarks: [{ line: 3, what: 'bad', reason }] }, String(reason))
  }
})

test('files of deliveries: byte for byte, whatever ends the lines', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const first = JSON.stringify(observed(ROWS[0] as Row))
  const second = JSON.stringify(observed(ROWS[1] as Row)).replace('{', '{ ')
  const own = JSON.stringify(enveloped({ customer: { id: 'cust_1', object: 'customer' } }, { id: 'ev_own', eventType: 'ledger.customer.erased' }))
  const file = fileOf(t, 'deliveries.ndjson', `${first}\r\n\n${second}\n${first}\nnot json\n${own}\n${JSON.stringify(awardData({ trigger: 'evcus_7', card: 'v_2' }))}`)
  const { counts, remarks } = await take(ledger, ndjsonEntries(file, { limit_bytes: 100_000 }))
  t.match(counts, { new: 3, duplicate: 1, bad: 2, stored: 3 })
  t.match(remarks, [{ line: 5, reason: /not_json/ }, { line: 6, reason: /reserved_type/ }])
  const { rows } = await ledger.owner.query('select body::text from ledger.events where event_id = $1', ['ev_vtx_2'])
  t.strictSame(rows, [{ body: second }])

  const long = fileOf(t, 'long.ndjson', `{"a":"${'x'.repeat(300_000)}"}\n${JSON.stringify(observed(ROWS[2] as Row))}\n`)
  const taken = await take(ledger, ndjsonEntries(long, { limit_bytes: 100_000 }))
  t.match(taken, { counts: { new: 1, bad: 1 }, remarks: [{ line: 1, reason: /300008 bytes/ }] })
})

test('large deliveries go in by size, however short the queue of a server may be', async t => {
  t.testdir({})
  const ledger = await openLedger(t, { bodyLimitBytes: 2_000_000 })
  const large = (index: number): string => JSON.stringify({ ...awardData({ trigger: `ev_${index}`, customer: `cust_${index % 2}` }), padding: 'x'.repeat(900_000) })
  const file = fileOf(t, 'large.ndjson', Array.from({ length: 90 }, (_, index) => large(index)).join('\n'))
  for (const args of [['--dry-run'], []]) {
    const { code, stdout, stderr } = await run(t, ['--json', 'import', ...args, file], { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data'), APPEND_QUEUE_LIMIT: '1' })
    t.equal(code, 0, stderr)
    t.match(JSON.parse(stdout), { new: 90, stored: 90 })
  }
})

test('an import that breaks off says what is done, and goes on where it is run again', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const rows = Array.from({ length: 600 }, (_, index): Row => ({ id: `vtx_${index}`, type: 'POINTS_ADDITION', amount: 1, balance: index + 1, at: `2026-01-01T10:${String(Math.floor(index / 60)).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}.000Z` }))
  const file = fileOf(t, 'card.csv', csv(rows))
  await ledger.owner.query(`
    create function refuse () returns trigger language plpgsql as $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$;
    create trigger refuse before insert on ledger.events for each row when (new.event_id = 'export:vtx_300') execute function refuse()`)
  const environment = { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data') }
  const broken = await run(t, ['import', file], environment)
  t.equal(broken.code, 1)
  const done = Number(/\n(\d+) +0 +0 +0 +0 +0\n\1 event\(s\) stored\./.exec(broken.stdout)?.[1])
  t.ok(done >= 256 && done < 512, `${done} rows were done: a batch, and what else was under way`)
  t.match(broken.stderr, /The import was interrupted: the database is not available.*Run it again: stored events stay stored/s)
  await ledger.owner.query('drop trigger refuse on ledger.events')
  t.match(JSON.parse((await run(t, ['--json', 'import', file], environment)).stdout), { new: 600 - done, duplicate: done, stored: 600 - done })
})

test('the command: refuses files with bad lines whole, skips them when told, rehearses, counts', async t => {
  t.testdir({})
  const { url, pool } = await createDatabase(t)
  const environment = { DATABASE_URL: url, DATA_DIR: join(t.testdirName, 'data') }
  const command = async (...args: string[]) => await run(t, ['import', ...args], environment)
  const good = fileOf(t, 'good.csv', csv(ROWS.slice(0, 3)))
  const bad = fileOf(t, 'bad.csv', csv(ROWS.slice(3)).replace('POINTS_EXPIRATION,,,API,100,-25', 'POINTS_EXPIRATION,,,API,100,'))
  const stored = async (): Promise<number> => Number((await pool.query('select count(*) from ledger.events')).rows[0].count)

  const refused = await command(bad, good)
  t.equal(refused.code, 1)
  t.match(refused.stderr, /Nothing was imported: 1 line\(s\) cannot be read\.\n.*bad\.csv:3: bad: invalid_payload: data\.row\.amount/)
  t.equal(await stored(), 0)

  const dryRunAnswered = await command('--dry-run', good)
  t.equal(dryRunAnswered.code, 0)
  t.match(dryRunAnswered.stdout, /new +duplicate +conflict +discarded +ignored +bad\n3 +0 +0 +0 +0 +0\nDry run: nothing was written\. 3 event\(s\) would be stored\./)
  t.equal(await stored(), 0)

  const skipped = await command('--skip-bad', good, bad)
  t.equal(skipped.code, 1, 'what was left out shows in the exit status')
  t.match(skipped.stdout, /4 +0 +0 +0 +0 +1\n4 event\(s\) stored\./)
  const again = JSON.parse((await command('--json', good)).stdout)
  t.match(again, { new: 0, duplicate: 3, stored: 0, dry_run: false, remarks: [] })
  t.equal((await pool.query('select balance from projection.cards')).rows[0].balance, '125', 'and it is projected when the command ends')

  t.match(await command(join(t.testdirName, 'nowhere.csv')), { code: 1, stderr: /nowhere\.csv cannot be read/ })
  t.match(await command(fileOf(t, 'orders.csv', 'id,status\nord_1,PAID\n')), { code: 1, stderr: /the columns voucher_id, type, amount, created_at, details are missing/ })
  t.match(await command(fileOf(t, 'open.csv', `${csv(ROWS.slice(0, 1))}"vtx_2,never closed\n`)), { code: 1, stderr: /open\.csv:3: a quote that begins here is not closed/ })
})

/** Everything that is stored: every row of every table, and by which transaction it was written. */
async function everyRow (pool: Pool): Promise<unknown> {
  const { rows } = await pool.query<{ name: string }>("select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('ledger', 'projection') order by 1")
  return await Promise.all(rows.map(async ({ name }) => [name, (await pool.query(`select xmin, xmax, t::text from ${name} t order by t::text`)).rows]))
}

test('a rehearsal writes nothing at all: a login that may only read suffices', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  await ledger.post(observed(ROWS[0] as Row))
  await ledger.owner.query('delete from projection.checkpoints')
  const file = fileOf(t, 'card.csv', csv([...ROWS, { ...ROWS[4] as Row, amount: -24 }]))
  const reader = `${new URL(ledger.url).pathname.slice(1)}_reader`
  await ledger.owner.query(`
    create role ${reader} login password 'secret';
    grant usage on schema ledger, projection to ${reader};
    grant select on all tables in schema ledger, projection to ${reader}; grant select on public.ledger_migrations to ${reader}`)
  t.teardown(async () => { await ledger.owner.query(`drop owned by ${reader}; drop role ${reader}`) })
  const url = new URL(ledger.url)
  url.username = reader
  url.password = 'secret'
  const before = await everyRow(ledger.owner)
  const dryRunAnswered = await run(t, ['import', '--dry-run', file], { DATABASE_URL: url.href, DATA_DIR: join(t.testdirName, 'data') })
  t.match(dryRunAnswered, { code: 1, stdout: /\n5 +0 +1 +0 +0 +0\n.*nothing was written/, stderr: /The projections lag .* count as new/s })
  t.strictSame(await everyRow(ledger.owner), before)
})

test('a shard that cannot be projected stops no import', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  await ledger.owner.query('update ledger.shards set head = 1 where shard = 3')
  const environment = { DATABASE_URL: ledger.url, DATA_DIR: join(t.testdirName, 'data') }
  const file = fileOf(t, 'card.csv', csv(ROWS))
  for (const args of [['--dry-run'], []]) {
    const { code, stdout, stderr } = await run(t, ['--json', 'import', ...args, file], environment)
    t.equal(code, 0, stderr)
    t.match(JSON.parse(stdout), { new: 5, stored: 5, lagging: [{ shard: 3, position: '0', head: '1' }] })
    t.match(stderr, /lag in 1 shard: 3 \(at 0 of 1/)
  }
})

test('a row of points that were pending ends their lot', async t => {
  t.testdir({})
  const ledger = await openLedger(t)
  const lot = { id: 'lopp_1', voucher_id: 'v_1', points: 30, created_at: '2026-01-01T10:00:00.000Z', details: { event: { id: 'evcus_1' }, earning_rule: { id: 'ern_1' } } }
  await ledger.post(enveloped({
    customer: { id: 'cust_1' }, voucher: { id: 'v_1', type: 'LOYALTY_CARD' }, voucher_pending_points_balance: { points: 30, total: 30 }, pending_points: lot
  }, { id: 'ev_lot', eventType: 'customer.voucher.loyalty_card.pending_points.added' }))
  await ledger.project()
  t.match(await card(ledger), { balance: 0, pending: 30 })
  const row: Row = { id: 'vtx_1', type: 'PENDING_POINTS_ACTIVATION', amount: 30, balance: 30, at: '2026-01-15T00:00:00.000Z', details: { pending_points: lot } }
  t.match((await take(ledger, csvEntries(fileOf(t, 'card.csv', csv([row]))))).counts, { new: 1, bad: 0 })
  t.match(await card(ledger), { balance: 30, pending: 0, earned: 30 })
})

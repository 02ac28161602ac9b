import { test } from 'tap'
import { databaseOf, openPool, closePool, type Db } from '../../src/postgres/database.ts'
import { quarantine } from '../../src/ingest/quarantine/quarantine.sql.ts'
import { sign, SIGNATURE_HEADER } from '../../src/providers/voucherify/wire/signature.ts'
import { run, serve, type Finished } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { awardData, enveloped } from '../support/deliveries.ts'

type Command = (...args: string[]) => Promise<Finished>

async function open (t: Parameters<typeof run>[0]) {
  const { url, pool } = await createDatabase(t)
  const service = openPool({ url, role: 'ledger_service', poolSize: 2, name: 'test', onIdleError: () => {} })
  t.teardown(async () => { await closePool(service) })
  const environment = { DATABASE_URL: url, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const command: Command = async (...args) => await run(t, ['quarantine', ...args], environment)
  const json = async (...args: string[]): Promise<Record<string, never[]> & Record<string, unknown>> => JSON.parse((await command('--json', ...args)).stdout) as Record<string, never[]> & Record<string, unknown>
  return { pool, environment, command, json, db: databaseOf(service) }
}

/** As an older version of the code, which could not read it, would have set it aside. */
async function keep (db: Db, delivery: object | string, reason = 'invalid_payload'): Promise<string> {
  const body = Buffer.from(typeof delivery === 'string' ? delivery : JSON.stringify(delivery))
  return String((await quarantine(db, { provider: 'voucherify', body, headers: {}, reason, detail: 'older code' })).quarantine_id)
}

test('a conflict from the webhook to a decision', async t => {
  const { pool, environment, command, json } = await open(t)
  const server = await serve(t, ['--only', 'api'], environment)
  for (const points of [7, 70]) {
    const body = JSON.stringify(enveloped(awardData({ points, balance: points })))
    const answer = await fetch(`${server.url}/webhooks/voucherify`, { method: 'POST', headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(body, 'secret') }, body })
    t.equal(answer.status, 202)
  }
  const list = await command('list')
  t.match(list.stdout, /^id +reason +seen +last_seen_at +contradicts +detail\n1 +conflict +1 +\S+Z +\d+:1 +event ev_1 about award:ern_1:v_1/)
  const shown = await command('show', '1')
  t.match(shown.stdout, /^ *points +7 +70\n/m, 'what differs, as a table')
  t.match(shown.stdout, /data\.balance\.points +7 +70\n/)
  t.match(shown.stdout, /\nstored\n\{\n[^]*"points": 7,[^]*\nreceived\n\{\n[^]*"points": 70,/, 'and both versions')
  t.match(await json('show', '1'), { reason: 'conflict', times_seen: 1, body: /"points":70/, stored: { event_id: 'ev_1', body_text: /"points":7,/ }, differences: { more_fields: 0 } })

  const redriven = await command('redrive', '1')
  t.equal(redriven.code, 1)
  t.match(redriven.stdout, /Redriven: 0\. Still unusable: 1\./)
  t.match(redriven.stderr, /1: still in quarantine \(conflict\)[^]*quarantine discard ID --reason/)

  const silent = await command('discard', '1')
  t.equal(silent.code, 1)
  t.match(silent.stderr, /required option '--reason <text>'/)
  const blank = await command('discard', '1', '--reason', '  ')
  t.equal(blank.code, 1)
  t.match(blank.stderr, /Say why/)
  t.match((await pool.query('select state from ledger.quarantine')).rows, [{ state: 'open' }])

  t.equal((await command('discard', '1', '--reason', 'the first one is right')).code, 0)
  t.match((await pool.query('select state, discard_reason, decided_by, octet_length(body) > 0 as kept from ledger.quarantine')).rows,
    [{ state: 'discarded', discard_reason: 'the first one is right', decided_by: 'command line', kept: true }])
  t.match((await command('list')).stdout, /Nothing open is in quarantine/)
  t.match((await command('list', '--state', 'discarded')).stdout, /the first one is right/)
  const again = await command('discard', '1', '2', '--reason', 'x')
  t.equal(again.code, 1)
  t.match(again.stderr, /Not open, or unknown: 1, 2/)
})

test('redrive --all: 500 rows while they succeed and others come in, none is skipped', async t => {
  const { pool, json, command, db } = await open(t)
  const ids: string[] = []
  for (let index = 0; index < 500; index++) ids.push(await keep(db, index % 100 === 99 ? `not json ${index}` : awardData({ rule: `ern_${index}`, customer: `cust_${index % 9}` })))
  const stop = new AbortController()
  let added = 0
  const writer = (async () => {
    while (!stop.signal.aborted) await keep(db, awardData({ rule: `ern_late_${added++}` }))
  })()
  const { code, stdout, stderr } = await command('--json', 'redrive', '--all')
  stop.abort()
  await writer
  t.equal(code, 1, 'some remain')
  t.match(stderr, /"code":"still_in_quarantine"/)
  const answer = JSON.parse(stdout) as { redriven: number, still_unusable: number, items: Array<{ quarantine_id: string, status: string }> }
  t.equal(answer.still_unusable, 5)
  t.same(answer.items.slice(0, 500).map(({ quarantine_id }) => quarantine_id), ids)
  const { rows: [counted] } = await pool.query<{ events: number, open: number }>(`
    select (select count(*)::int from ledger.events where subject not like '%late%') as events,
           (select count(*)::int from ledger.quarantine where state = 'open' and quarantine_id <= $1) as open`, [ids.at(-1)])
  t.same(counted, { events: 495, open: 5 })

  t.equal(((await json('list')).items ?? []).length, 5 + added - (answer.redriven - 495))
  t.match(await json('redrive', '--all', '--filter-reason', 'invalid_payload'), { still_unusable: 0 })
  t.equal((await command('redrive', '--all', '--filter-reason', 'conflict')).code, 0, 'nothing to do is no failure')
})

test('redrive --all leaves what contradicts a movement to a person, and says so', async t => {
  const { command, json, db } = await open(t)
  await keep(db, awardData({ rule: 'ern_1' }))
  await keep(db, awardData({ rule: 'ern_2' }), 'contradicts_movement')
  const { code, stdout } = await command('redrive', '--all')
  t.equal(code, 0)
  t.match(stdout, /Redriven: 1\. Still unusable: 0\. Left out: 1 that contradict movements/)
  t.match(await json('redrive', '--all', '--filter-reason', 'contradicts_movement'), { redriven: 1, left_out: 0 })
  t.match((await command('redrive', '--help')).stdout, /can change\s+balances/)
})

test('a login that may only serve can work quarantine off', async t => {
  const { pool, environment, db } = await open(t)
  const id = await keep(db, awardData())
  const lesser = `${new URL(environment.DATABASE_URL).pathname.slice(1)}_app`
  await pool.query(`create role ${lesser} login password 'secret'; grant ledger_service to ${lesser}`)
  const url = new URL(environment.DATABASE_URL)
  url.username = lesser
  url.password = 'secret'
  const redriven = await run(t, ['quarantine', 'redrive', id], { ...environment, DATABASE_URL: url.href })
  await pool.query(`drop role ${lesser}`)
  t.equal(redriven.code, 0, redriven.stderr)
  t.match(redriven.stdout, /Redriven: 1\. Still unusable: 0\./)
})

test('what is shown cannot steer the terminal', async t => {
  const { command, db } = await open(t)
  const id = await keep(db, '\u001b[2Jcleared\u202e', 'not_json')
  const { stdout } = await command('show', id)
  t.match(stdout, /\ufffd\[2Jcleared\ufffd/)
  t.notMatch(stdout, '\u001b')
})

test('what cannot be done is said plainly', async t => {
  const { command } = await open(t)
  for (const [args, says] of [
    [['show', '7'], /Nothing in quarantine has the id 7/],
    [['show', 'seven'], /seven is no id/],
    [['redrive'], /Say which/],
    [['redrive', '1', '--all'], /Say which/],
    [['redrive', '1', '--filter-reason', 'conflict'], /--filter-reason narrows --all down/],
    [['redrive', '9223372036854775808'], /is no id/],
    [['redrive', '7'], /1 of 1 could not be redriven/],
    [['list', '--state', 'closed'], /Allowed choices are open, redriven, discarded/]
  ] as const) {
    const { code, stderr } = await command(...args)
    t.equal(code, 1, args.join(' '))
    t.match(stderr, says, args.join(' '))
    t.notMatch(stderr, /\n {4}at /, `${args.join(' ')}: no stack trace`)
  }
})

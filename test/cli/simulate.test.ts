import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { run, serve } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { waitUntil } from '../support/wait.ts'

const SEEDS = ['simulate', '--sources', 'seeds', '--verify']

test('given a ledger, when the provider is simulated at its worst, then all is as it should be, also when it comes again', async t => {
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const environment = { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const { url } = await serve(t, [], environment)
  const args = [...SEEDS, '--url', url, '--customers', '8', '--events', '500', '--chaos', 'high', '--seed', '5']

  const first = await run(t, [...args, '--json'], environment)
  t.equal(first.code, 0, first.stderr)
  const summary = JSON.parse(first.stdout) as Record<string, number>
  t.match(summary, { seed: '5', deliveries: 500, verified: true, differences: 0, given_up: 0, retries: 0 })
  for (const answer of ['accepted', 'duplicate', 'quarantined', 'refused']) t.ok(summary[answer]! > 0, answer)
  t.equal(summary.accepted! + summary.duplicate! + summary.quarantined! + summary.refused!, 500)
  t.equal(first.stderr, '', 'no progress bar on a pipe')

  // While there are no others: the rows of later runs can come to lie before these.
  const { rows: [own] } = await pool.query('select card_id from projection.statement_lines limit 1')

  const again = await run(t, [...args, '--json'], environment)
  t.equal(again.code, 0, again.stderr)
  t.match(JSON.parse(again.stdout), { accepted: 0, differences: 0 }, 'the same seed again is all duplicates')

  const file = join(t.testdirName, 'export.csv')
  const all = await run(t, ['simulate', '--verify', '--url', url, '--customers', '6', '--events', '800', '--chaos', 'high', '--seed', '7', '--export', file, '--json'], environment)
  t.equal(all.code, 0, all.stderr + all.stdout)
  t.match(JSON.parse(all.stdout), { deliveries: 800, differences: 0 }, 'with every event type too')

  const imported = await run(t, ['import', file, '--json'], environment)
  t.equal(imported.code, 0, imported.stderr)
  const { rows: [total] } = await pool.query('select sum(abs(unexplained)) as points from projection.cards k where exists (select from projection.statement_lines l where l.card_id = k.card_id and l.event_id like $1)', ['export:%'])
  t.equal(total.points, '0', 'what was missed of these cards is explained by the export')
  t.equal(readFileSync(file, 'utf8').split('\n')[0], 'id,campaign_id,voucher_id,type,source_id,reason,source,balance,amount,related_transaction_id,created_at,details')

  const other = await run(t, [...SEEDS, '--url', url, '--customers', '3', '--events', '60', '--seed', '6', '--rate', '2000', '--concurrency', '2'], environment)
  t.equal(other.code, 0, other.stderr + other.stdout)
  t.match(other.stderr, /^Seed 6\./)
  t.match(other.stdout, /60 deliveries sent[^]*Verified: every customer/)

  await pool.query('update projection.cards set balance = balance + 1, unexplained = unexplained + 1 where card_id = $1', [own.card_id])
  const wrong = await run(t, args, environment)
  t.equal(wrong.code, 1)
  t.match(wrong.stdout, /Not as expected:\n {2}\w[^]*\n {4}balance: expected -?\d+, got -?\d+/)
  t.match(wrong.stderr, /things are not as expected\. Repeat with --seed 5 --events 500 --customers 8 --chaos high --sources seeds\./)
})

test('given a secret that the server does not have, or no server, then that is said at once', async t => {
  const { url: DATABASE_URL } = await createDatabase(t)
  const environment = { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const { url } = await serve(t, [], environment)
  const refused = await run(t, ['simulate', '--url', url, '--events', '20', '--chaos', 'none', '--secret', 'another', '--json'], environment)
  t.equal(refused.code, 1)
  const [seeded, reason] = refused.stderr.trim().split('\n').map(line => JSON.parse(line) as unknown)
  t.match(seeded, { seed: /^\d+$/ }, 'the random seed is said first')
  t.match(reason, { code: 'signature_refused' })
  const cases: Array<[args: string[], code: string]> = [
    [['--url', 'http://127.0.0.1:1'], 'server_unreachable'],
    [['--url', 'nowhere'], 'url_malformed'],
    [['--url', url, '--export', join(t.testdirName, 'nowhere', 'export.csv')], 'file_unwritable'],
    [['--url', url, '--sources', 'no.such.type'], 'simulation_empty']
  ]
  for (const [args, code] of cases) {
    const failed = await run(t, ['simulate', '--json', '--seed', '1', '--events', '5', '--customers', '1', ...args], environment)
    t.equal(failed.code, 1)
    t.match(JSON.parse(failed.stderr), { code })
  }
})

test('given a server that is busy at first, then deliveries are tried again', async t => {
  const tries = new Map<string, number>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = String(Buffer.concat(chunks))
      const count = (tries.get(body) ?? 0) + 1
      tries.set(body, count)
      const id = (JSON.parse(body === '' ? '{}' : body) as { event?: { id?: string } }).event?.id
      response.writeHead(count < 2 && body !== '' ? 503 : 202, { 'content-type': 'application/json', 'retry-after': '0' })
      response.end(JSON.stringify({ status: 'accepted', event_id: id, position: '0:1' }))
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await waitUntil(() => server.listening)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const done = await run(t, ['simulate', '--url', url, '--secret', 's', '--sources', 'customer.created,voucher.created', '--events', '6', '--customers', '3', '--chaos', 'none', '--seed', '1', '--json'])
  const summary = JSON.parse(done.stdout) as { retries: number, accepted: number }
  t.ok(summary.retries >= 3, 'every delivery was tried twice')
  t.equal(summary.accepted, 6)
})

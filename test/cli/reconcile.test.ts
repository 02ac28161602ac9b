import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { startProviderApi } from '../../simulator/api/server.ts'
import { unauthorizedAnswer } from '../../simulator/api/faults.ts'
import { simulate } from '../../simulator/simulate.ts'
import { run, serve, start } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { waitUntil } from '../support/wait.ts'

test('given an API key, when reconcile runs, then it says what was missing and what was healed, and status and reports know', async t => {
  const { world } = simulate({ seed: 'command', customers: 6, events: 400, chaos: 'none' })
  const card = world.cards.find(({ deleted, rows }) => !deleted && rows.length > 0)!.now
  const api = await startProviderApi(world)
  t.teardown(api.close)
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const token = join(t.testdir(), 'token')
  writeFileSync(token, `${api.app_token}\n`)
  const environment = { DATABASE_URL, VOUCHERIFY_API_URL: api.url, VOUCHERIFY_APP_ID: api.app_id, VOUCHERIFY_APP_TOKEN_FILE: token, RECONCILE_CALLS_PER_MINUTE: '100000' }

  const foreseen = await run(t, ['reconcile', '--dry-run', '--json'], environment)
  t.equal(foreseen.code, 0, foreseen.stderr)
  const dry = JSON.parse(foreseen.stdout) as { missing: { movements: number }, cards_different: number, differences: Array<{ reason: string }> }
  t.ok(dry.missing.movements > 50 && dry.cards_different > 5)
  t.ok(dry.differences.every(({ reason }) => reason === 'card_unknown'))
  t.strictSame((await pool.query('select count(*)::int as n from ledger.reconciliations')).rows, [{ n: 0 }], 'a dry run writes nothing')

  const one = await run(t, ['reconcile', '--card', card.code], environment)
  t.match(one, { code: 0, stdout: /1 cards compared: 0 were right, 1 are healed, 0 still differ/ }, one.stderr)

  const first = await run(t, ['reconcile'], environment)
  t.match(first.stdout, /were missing and are stored[\s\S]*cards compared[\s\S]*Changed by: [\s\S]*earned \+/)
  const again = await run(t, ['reconcile', '--json'], environment)
  t.match(JSON.parse(again.stdout), { state: 'finished', stored: 0, cards_healed: 0 })

  const status = await run(t, ['status'], environment)
  t.match(status.stdout, /Reconciling with voucherify: last finished at .* cards compared/)
  const { rows } = await pool.query('select card, state from reporting.reconciliations order by reconciliation_id')
  t.strictSame(rows.map(row => [row.card, row.state]), [[card.code, 'finished'], [null, 'finished'], [null, 'finished']])

  const attention = async (): Promise<string[]> => (JSON.parse((await run(t, ['status', '--json'], environment)).stdout) as { attention: Array<{ code: string }> }).attention.map(({ code }) => code)
  t.strictSame(await attention(), [])
  await pool.query('update ledger.reconciliations set cards_different = 2 where reconciliation_id = (select max(reconciliation_id) from ledger.reconciliations)')
  t.strictSame(await attention(), ['reconcile_differs'])
  await pool.query("update ledger.reconciliations set cards_different = 0, started_at = started_at - interval '3 days', ended_at = ended_at - interval '3 days'")
  t.strictSame(await attention(), ['reconcile_old'])

  api.fail({ fault: 'answer', answer: unauthorizedAnswer() })
  t.match(await run(t, ['reconcile', '--json'], environment), { code: 1, stderr: /api_unauthorized.*VOUCHERIFY_APP_TOKEN/ })
  t.match((await run(t, ['status'], environment)).stdout, /the newest run is stopped/)
  const cases: Array<[changes: Record<string, string>, args: string[], code: string]> = [
    [{ VOUCHERIFY_APP_ID: '' }, [], 'api_key_missing'],
    [{ VOUCHERIFY_APP_TOKEN_FILE: join(t.testdirName, 'nowhere') }, [], 'api_key_unreadable'],
    [{ VOUCHERIFY_API_URL: 'http://api.example.com' }, [], 'config_invalid'],
    [{}, ['--since', 'yesterday'], 'time_malformed'],
    [{}, ['--card', card.id, '--since', '2024-01-01'], 'options_exclusive'],
    [{}, ['--watch', '--dry-run'], 'options_exclusive']
  ]
  for (const [changes, args, code] of cases) {
    const failed = await run(t, ['reconcile', '--json', ...args], { ...environment, ...changes })
    t.match(failed, { code: 1, stderr: new RegExp(code) })
  }
})

test('given that 30 % never arrive, when the simulated provider is asked, then nothing is unexplained', { timeout: 120_000 }, async t => {
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const environment = { DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() }
  const { url } = await serve(t, [], environment)
  for (const sources of ['seeds', 'all']) {
    const args = ['simulate', '--url', url, '--sources', sources, '--customers', '15', '--events', '500', '--chaos', 'high', '--seed', sources, '--lose', '30', '--verify', '--reconcile', '--json']
    const done = await run(t, args, environment)
    t.equal(done.code, 0, done.stderr + done.stdout)
    t.match(JSON.parse(done.stdout), { verified: true, differences: 0, remarks: [/^Reconciled: .*cards compared/s] })
  }
  t.strictSame((await pool.query('select sum(abs(unexplained))::int as points from projection.cards where deleted_at is null')).rows, [{ points: 0 }])
})

test('given RECONCILE_EVERY_MINUTES, when the service runs, then it asks by itself; reconcile --watch does too, until it is ended', async t => {
  const { world } = simulate({ seed: 'watched', customers: 4, events: 150, chaos: 'none' })
  const api = await startProviderApi(world)
  t.teardown(api.close)
  const { url: DATABASE_URL, pool } = await createDatabase(t)
  const environment = {
    DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir(), VOUCHERIFY_API_URL: api.url, VOUCHERIFY_APP_ID: api.app_id, VOUCHERIFY_APP_TOKEN: api.app_token, RECONCILE_CALLS_PER_MINUTE: '100000'
  }
  const finished = async (count: number) => await waitUntil(async () => {
    const { rows } = await pool.query<{ n: number }>("select count(*)::int as n from ledger.reconciliations where state = 'finished'")
    return rows[0]!.n >= count
  }, { timeout_ms: 30_000, what: `${count} finished reconciliations` })

  const server = await serve(t, [], { ...environment, RECONCILE_EVERY_MINUTES: '60' })
  await finished(1)
  const { items } = await (await fetch(`${server.url}/v1/reconciliations`)).json() as { items: Array<{ state: string, healed: object }> }
  t.match(items, [{ state: 'finished', healed: { earned: Number } }])
  server.process.kill('SIGTERM')
  t.equal((await server.finished).code, 0)

  const watching = start(t, ['reconcile', '--watch'], environment)
  await finished(2)
  watching.process.kill('SIGTERM')
  t.match(await watching.finished, { code: 0, stdout: /0 were missing/ })
})

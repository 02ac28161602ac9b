import { test, type Test } from 'tap'
import { run } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'

async function open (t: Test) {
  const { url, pool } = await createDatabase(t)
  const command = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(t, args, { DATABASE_URL: url, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir() })
    t.equal(code, 0, stderr)
    return stdout
  }
  return { pool, command }
}

test('lists of several pages are whole, as text and as JSON', async t => {
  const { pool, command } = await open(t)
  await pool.query(`
    insert into ledger.quarantine (provider, body, headers, reason, detail)
    select 'voucherify', convert_to('body ' || n, 'UTF8'), '{}', 'not_json', 'detail ' || n from generate_series(1, 1200) n`)
  await pool.query(`
    insert into projection.parked (projection, key, shard, position, event_id, subject, code, reason)
    select 'cards', 'card:v_' || n, 1, n, 'ev_' || n, 'award:' || n, 'fold_failed', 'reason ' || n from generate_series(1, 1200) n`)
  await pool.query("insert into projection.waiting (projection, key, shard, position) select 'cards', 'card:v_7', 1, n from generate_series(7, 9) n")

  const kept = JSON.parse(await command('--json', 'quarantine', 'list')) as { items: Array<{ quarantine_id: string, times_seen: number, detail: string }> }
  t.strictSame(kept.items.map(({ quarantine_id }) => quarantine_id), Array.from({ length: 1_200 }, (_, index) => String(index + 1)))
  t.match(kept.items[1_199], { times_seen: 1, reason: 'not_json', position: null, detail: 'detail 1200' })
  const keptLines = (await command('quarantine', 'list')).trimEnd().split('\n')
  t.equal(keptLines.length, 1_201)
  t.match(keptLines[0], /^id +reason +seen +last_seen_at +contradicts +detail$/)
  t.match(keptLines[1_200], /^1200 +not_json +1 +\S+Z +detail 1200$/)
  t.strictSame(JSON.parse(await command('--json', 'quarantine', 'list', '--state', 'discarded')), { items: [] })

  const parked = JSON.parse(await command('--json', 'parked', 'list')) as { items: Array<{ key: string, waiting: number }> }
  t.equal(new Set(parked.items.map(({ key }) => key)).size, 1_200)
  t.match(parked.items.find(({ key }) => key === 'card:v_7'), { projection: 'cards', position: '1:7', waiting: 3, tries: 1, reason: 'reason 7' })
  const parkedLines = (await command('parked', 'list')).trimEnd().split('\n')
  t.equal(parkedLines.length, 1_201)
  t.match(parkedLines[0], /^key +projection +position +waiting +tries +parked_at +reason$/)
})

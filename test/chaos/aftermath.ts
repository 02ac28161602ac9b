// What must be true once everything is healed, asked of the rows and over HTTP.
import type pg from 'pg'
import type { Test } from 'tap'
import { checkQuarantine } from '../../simulator/checks/quarantine.ts'
import { openClient } from '../../simulator/client.ts'
import type { Differences } from '../../simulator/differences.ts'
import { expectationOf } from '../../simulator/oracle/expectation.ts'
import { awaitProjection, verify } from '../../simulator/verifying.ts'
import { run } from '../support/cli.ts'
import type { Load } from './load.ts'

/** Every 2xx names what is stored: the event at that very position, or the row in quarantine with those bytes. */
export async function assertAcknowledgedIsStored (t: Test, pool: pg.Pool, { acknowledged }: Load): Promise<void> {
  const { rows: lost } = await pool.query(`
    select a.*, e.shard || ':' || e.position as stored_at
    from jsonb_to_recordset($1) as a (status text, event_id text, subject text, position text)
    left join ledger.events e on e.event_id = a.event_id and e.subject = a.subject
    where e.event_id is null or e.shard || ':' || e.position <> a.position`, [JSON.stringify(acknowledged.filter(({ status }) => status !== 'quarantined'))])
  t.same(lost, [], 'every acknowledged event is stored where the answer said')
  const { rows: misplaced } = await pool.query(`
    select a.*
    from jsonb_to_recordset($1) as a (quarantine_id bigint, body_digest text)
    left join ledger.quarantine q on q.quarantine_id = a.quarantine_id and encode(q.body_digest, 'hex') = a.body_digest
    where q.quarantine_id is null`, [JSON.stringify(acknowledged.filter(({ status }) => status === 'quarantined'))])
  t.same(misplaced, [], 'every delivery that was set aside is in quarantine, byte for byte')
}

export async function assertContiguous (t: Test, pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query(`
    select s.shard, s.head, count(e.position) as events, min(e.position) as first, max(e.position) as last
    from ledger.shards s
    left join ledger.events e on e.shard = s.shard
    group by s.shard, s.head
    having count(e.position) <> s.head or coalesce(max(e.position), 0) <> s.head or coalesce(min(e.position), 1) <> 1`)
  t.same(rows, [], 'positions in each shard are 1 … head')
}

/** The log proves itself: contiguity, digests, chains, and projections as the fold of the events. */
export async function assertVerified (t: Test, DATABASE_URL: string): Promise<void> {
  const { code, stdout, stderr } = await run(t, ['--json', 'verify'], { DATABASE_URL })
  t.equal(code, 0, `verify finds no difference: ${stdout}${stderr}`)
}

/** Nothing that befell was the fault of an event: no card or order stands still for it. */
export async function assertNothingParked (t: Test, pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query('select projection, key, code, reason from projection.parked')
  t.same(rows, [], 'nothing was parked')
}

/** Everything the ledger says over HTTP is what the simulator's oracle says. */
export async function compareWithOracle (url: string, load: Load, began_ms: number, differences: Differences): Promise<void> {
  const client = openClient(url, { connections: 8, key: undefined })
  try {
    await awaitProjection(client, load.positions, 60_000)
    await verify(client, expectationOf(load.stored), differences, { recording: { began_ms, acknowledgements: load.acknowledgements } })
    await checkQuarantine(client, load.quarantined, differences)
  } finally {
    client.close()
  }
}

// Commits overtake each other. A reader that keeps one number for where it is must lose nothing by it; the obvious log,
// positions from a sequence, does, and is kept here to show that the scenario would notice.
import type { ControlledTransaction } from 'kysely'
import type pg from 'pg'
import { test, type Test } from 'tap'
import { createRandom } from '../../simulator/random.ts'
import { append, type Appendable } from '../../src/log/append.sql.ts'
import { closePool, databaseOf, openPool, type Db } from '../../src/postgres/database.ts'
import { readSpans } from '../../src/log/read.sql.ts'
import type { Tables } from '../../src/postgres/tables.ts'
import { createDatabase } from '../support/database.ts'
import { waitUntil } from '../support/wait.ts'

/** A log that writers append to, each in a transaction of its own. */
interface Log {
  begin: () => Promise<Writer>
  /** What stands behind a position, in order. */
  read: (shard: number, after: bigint) => Promise<Array<{ name: string, position: bigint }>>
}
interface Writer {
  append: (events: ReadonlyArray<{ name: string, shard: number }>) => Promise<void>
  commit: () => Promise<void>
  rollback: () => Promise<void>
}

/** Reads a shard bit by bit: its cursor is the greatest position it has seen. */
function createReader (log: Log, shard: number) {
  const seen: Array<{ name: string, position: bigint }> = []
  return {
    names: () => seen.map(({ name }) => name),
    positions: () => seen.map(({ position }) => position),
    async poll () { seen.push(...await log.read(shard, seen.at(-1)?.position ?? 0n)) }
  }
}

/**
 * A slow transaction takes its place first and commits last; a fast one begins after it and would commit before; the
 * reader looks in between.
 * @returns what the reader got in the end, in order
 */
async function overtaken (log: Log, isWaitingForLock: () => Promise<boolean>): Promise<string[]> {
  const reader = createReader(log, 0)
  const slow = await log.begin()
  await slow.append([{ name: 'slow', shard: 0 }])
  let committed = false
  const fast = log.begin().then(async writer => {
    await writer.append([{ name: 'fast', shard: 0 }])
    await writer.commit()
    committed = true
  })
  await waitUntil(async () => committed || await isWaitingForLock(), { what: 'the fast one to commit, or to be held back' })
  await reader.poll()
  await slow.commit()
  await fast
  await reader.poll()
  return reader.names()
}

function ours (db: Db): Log {
  return {
    async begin () {
      const trx = await db.startTransaction().execute()
      return writer(trx, async events => { await append(trx, events.map(({ name, shard }) => event(name, shard))) })
    },
    read: async (shard, after) => (await readSpans(db, [{ shard, after, count: 1000 }])).flat()
      .map(({ event_id, position }) => ({ name: event_id, position }))
  }
}

/** What nearly everybody begins with: `position bigserial`, and a reader that asks for `position > $cursor`. */
async function naive (pool: pg.Pool): Promise<Log> {
  await pool.query('create table naive_events (position bigserial primary key, shard int, name text)')
  return {
    async begin () {
      const client = await pool.connect()
      await client.query('begin')
      const end = (how: string) => async (): Promise<void> => {
        await client.query(how)
        client.release()
      }
      return {
        async append (events) {
          for (const { name, shard } of events) await client.query('insert into naive_events (shard, name) values ($1, $2)', [shard, name])
        },
        commit: end('commit'),
        rollback: end('rollback')
      }
    },
    async read (shard, after) {
      const { rows } = await pool.query<{ name: string, position: string }>('select name, position from naive_events where shard = $1 and position > $2 order by position', [shard, after])
      return rows.map(({ name, position }) => ({ name, position: BigInt(position) }))
    }
  }
}

function writer (trx: ControlledTransaction<Tables>, append: Writer['append']): Writer {
  return {
    append,
    commit: async () => { await trx.commit().execute() },
    rollback: async () => { await trx.rollback().execute() }
  }
}

function event (event_id: string, shard: number): Appendable {
  const nothing = { customer_id: null, occurred_at: null, send_out_id: null, sender_kind: null, sender_id: null, group_id: null, project_id: null, channel: null }
  return { event_id, subject: '-', provider: 'voucherify', shard, type: 'test', test: false, fact_digest: '00'.repeat(32), body: '{}', ...nothing }
}

async function openOurs (t: Test, shards: number): Promise<{ log: Log, pool: pg.Pool, isWaitingForLock: () => Promise<boolean> }> {
  const { url, pool } = await createDatabase(t, { shards })
  const service = openPool({ url, role: 'ledger_service', poolSize: 20, name: 'test' })
  t.teardown(async () => { await closePool(service) })
  const isWaitingForLock = async (): Promise<boolean> => (await pool.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount === 1
  return { log: ours(databaseOf(service)), pool, isWaitingForLock }
}

test('when a commit overtakes another, a sequence and a cursor lose an event; positions under the lock of the shard do not', async t => {
  const { log, pool, isWaitingForLock } = await openOurs(t, 1)
  t.same(await overtaken(await naive(pool), isWaitingForLock), ['fast'], 'the naive reader never sees the slow one')
  t.same(await overtaken(log, isWaitingForLock), ['slow', 'fast'])
})

test('many writers, some slow and some that roll back: readers see every event, in order, without holes at any time', async t => {
  const SHARDS = 3
  const { log } = await openOurs(t, SHARDS)
  const random = createRandom('many writers')
  const readers = Array.from({ length: SHARDS }, (_, shard) => createReader(log, shard))
  const committed: string[][] = readers.map(() => [])
  const holes: bigint[][] = []
  let writing = true

  async function write (id: number): Promise<void> {
    for (let round = 0; round < 25; round++) {
      const events = Array.from({ length: random.integer(1, 4) }, (_, n) => ({ name: `${id}-${round}-${n}`, shard: random.integer(0, SHARDS - 1) }))
      const writer = await log.begin()
      await writer.append(events)
      // Others come and go while this one keeps its place.
      for (let turns = random.integer(0, 20); turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
      if (random.chance(0.2)) {
        await writer.rollback()
        continue
      }
      await writer.commit()
      for (const { name, shard } of events) committed[shard]?.push(name)
    }
  }
  async function read (): Promise<void> {
    while (writing) {
      for (const reader of readers) {
        await reader.poll()
        const positions = reader.positions()
        if (positions.some((position, index) => position !== BigInt(index + 1))) holes.push(positions)
      }
    }
  }
  const reading = read()
  await Promise.all(Array.from({ length: 12 }, async (_, id) => { await write(id) }))
  writing = false
  await reading
  for (const [shard, reader] of readers.entries()) {
    await reader.poll()
    t.same(reader.names().sort(), committed[shard]?.sort(), `shard ${shard}: all that was committed, once`)
    t.ok(reader.names().length > 50)
  }
  t.same(holes, [])
})

// An erased body is no difference when an erasure event lists what it was redacted to, and one when none does.
import { test, type Test } from 'tap'
import { shardOf } from '../../src/log/shards.sql.ts'
import { audit, awardsOf, store, tamper } from '../support/audit.ts'
import { enveloped } from '../support/deliveries.ts'
import { openLedger, type TestLedger } from '../support/ledger.ts'

const SHARDS = 4
const CUSTOMER = 'cust_erased'
const SHARD = shardOf(CUSTOMER, SHARDS)
const REDACTED = "replace(body::text, '\"name\":\"Ada\"', '\"name\":null')::json"

async function open (t: Test): Promise<TestLedger> {
  const ledger = await openLedger(t, { shards: SHARDS })
  await store(ledger, awardsOf('cust_other', 3), SHARDS)
  for (const award of awardsOf(CUSTOMER, 4)) await store(ledger, [award], SHARDS)
  return ledger
}

/** Redacts the bodies at some positions, by an erasure event that vouches for those it is told to. */
async function erase (ledger: TestLedger, id: string, positions: number[], options: { type?: string, vouches?: number[] } = {}): Promise<void> {
  const { type = 'ledger.customer.erased', vouches = positions } = options
  const { rows: erased } = await ledger.owner.query(`
    select event_id, subject, encode(sha256(convert_to(${REDACTED}::text, 'UTF8')), 'hex') as body_digest
    from ledger.events where shard = ${SHARD} and position = any ($1)`, [vouches])
  await store(ledger, [enveloped({ customer: { id: CUSTOMER }, erased }, { id, eventType: type })], SHARDS)
  await tamper(ledger.owner,
    `update ledger.events set body = ${REDACTED}, erased_by = '${id}' where shard = ${SHARD} and position = any ('{${positions.join()}}')`,
    `update ledger.events set body_bytes = octet_length(body::text) where shard = ${SHARD}`)
}

const at = (position: number): string => `ERASURE_UNVOUCHED ${SHARD}:${position}`

test('erased bodies that are vouched for are counted, and are no difference', async t => {
  const ledger = await open(t)
  await erase(ledger, 'ev_erasure_1', [1, 2])
  await erase(ledger, 'ev_erasure_2', [3])
  // Erased once more: the newest erasure vouches.
  await erase(ledger, 'ev_erasure_3', [2])
  const { command, sql, counts, summary } = await audit(ledger)
  t.same({ command, sql }, { command: [], sql: [] })
  t.same(counts, { events: 10, shards: SHARDS, erased: 3, unread: 0 })
  t.match(summary, /^10 events in 4 shards, 3 erased; 0 differences/)
})

test('erased bodies that nobody vouches for are differences', async t => {
  const ledger = await open(t)
  await erase(ledger, 'ev_erasure_1', [1, 2], { vouches: [1] })
  await erase(ledger, 'ev_no_erasure', [3], { type: 'customer.updated.by.hand' })
  const both = async (): Promise<string[]> => {
    const { command, sql } = await audit(ledger)
    t.same(sql, command, 'the query agrees')
    return command
  }
  t.same(await both(), [at(2), at(3)])
  await tamper(ledger.owner, `update ledger.events set body = replace(body::text, '"name":null', '"name":true')::json where shard = ${SHARD} and position = 1`)
  t.same(await both(), [at(1), at(2), at(3)], 'a redacted body that was changed again')
  await tamper(ledger.owner, `update ledger.events set customer_id = 'cust_other' where shard = ${SHARD} and position = 1`)
  t.same(await both(), [at(1), at(2), at(3), `IDENTITY_MISMATCH ${SHARD}:1`], 'what erasure keeps is compared')
})

test('an erasure event that was changed vouches for nothing in secret', async t => {
  const ledger = await open(t)
  await erase(ledger, 'ev_erasure_1', [1])
  await tamper(ledger.owner, 'update ledger.events set body = replace(body::text, \'"erased":[{\', \'"erased":[{"a":1},null,{\')::json where event_id = \'ev_erasure_1\'')
  const { command, sql } = await audit(ledger)
  t.ok(command.includes(`DIGEST_MISMATCH ${SHARD}:5`), command.join())
  t.same(sql, command)
  await tamper(ledger.owner, "update ledger.events set body = '{\"data\":{\"erased\":7}}' where event_id = 'ev_erasure_1'")
  const empty = await audit(ledger)
  t.ok(empty.command.includes(at(1)) && empty.sql.includes(at(1)), 'what lists nothing vouches for nothing')
})

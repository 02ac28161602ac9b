// Any log, changed in any one place: both verifiers name it, or nothing was changed.
//
//   TAMPERINGS=2000 npm test -- audit/property     more of them
import { fc, LONG } from '../support/chance.ts'
import { test } from 'tap'
import { awardData, enveloped, orderData, seeds } from '../support/deliveries.ts'
import { audit, store, tamper } from '../support/audit.ts'
import { openLedger } from '../support/ledger.ts'

const SHARDS = 3
const TAMPERINGS = Number(process.env['TAMPERINGS'] ?? (LONG ? 1000 : 60))

const text = fc.string({ unit: fc.constantFrom('a', 'Z', '0', ' ', '"', '\\', '\u0000', 'é', '漢', '😀', ':'), maxLength: 12 })
const customer = fc.constantFrom('cust_1', 'cust_2', 'cust_3', 'cust_é')

/** A body of one of the shapes, of a size of its own. */
const body = fc.record({ id: fc.integer({ min: 1, max: 1_000_000 }), customer, note: text, bare: fc.boolean(), award: fc.boolean() }).map(({ id, customer, note, bare, award }) => {
  const data = award
    ? awardData({ customer, card: `v_${id}`, trigger: `evcus_${id}` })
    : orderData({ customer, id: `ord_${id}` })
  const noted = { ...data, note }
  return bare ? noted : enveloped(noted, { id: `ev_${id}`, eventType: award ? 'customer.rewarded.loyalty_points' : 'customer.order.paid' })
})

/** One change of one row (the nth) or of one head. Its effect on a row that is alone or the last decides its name. */
type Tampering = (row: string) => string[]
const tampering: fc.Arbitrary<[what: string, Tampering]> = fc.oneof(
  fc.tuple(fc.nat(10_000), fc.constantFrom('0', '1', 'a', 'b', ' ')).map(([at, byte]): [string, Tampering] => [`byte ${at} of the body becomes ${JSON.stringify(byte)}`, row => [`
    update ledger.events set body = changed.text::json
    from (select event_id, subject, overlay(body::text placing '${byte}' from 1 + ${at} % length(body::text) for 1) as text from ledger.events where ${row}) changed
    where events.event_id = changed.event_id and events.subject = changed.subject and pg_input_is_valid(changed.text, 'json')`]]),
  fc.constantFrom<[string, Tampering]>(
    ['the row is deleted', row => [`delete from ledger.events where ${row}`]],
    ['its digest', row => [`update ledger.events set body_digest = sha256(body_digest) where ${row}`]],
    ['its chain value', row => [`update ledger.events set chain = sha256(chain) where ${row}`]],
    ['its key', row => [`update ledger.events set event_id = event_id || 'x' where ${row}`]],
    ['its subject', row => [`update ledger.events set subject = subject || 'x' where ${row}`]],
    ['its position', row => [`update ledger.events set position = position + 100 where ${row}`]],
    ['its shard', row => [`update ledger.events set shard = (shard + 1) % ${SHARDS}, position = position + 100 where ${row}`]],
    ['its size', row => [`update ledger.events set body_bytes = body_bytes + 1 where ${row}`]],
    ['its customer', row => [`update ledger.events set customer_id = 'cust_none' where ${row}`]],
    ['its time', row => [`update ledger.events set occurred_at = occurred_at - interval '1 day' where ${row}`]],
    ['its type in an envelope', row => [`update ledger.events set type = 'x' where ${row} and strpos(body::text, '"data":{') > 0 and strpos(body::text, '\\u0000') = 0`]],
    ['its erasure', row => [`update ledger.events set erased_by = 'ev_none' where ${row}`]],
    ['the head of its shard', row => [`update ledger.shards set head = head + 1 where shard = (select shard from ledger.events where ${row})`]],
    ['the chain value of its shard', row => [`update ledger.shards set chain = sha256(chain) where shard = (select shard from ledger.events where ${row})`]]
  )
)

test(`${TAMPERINGS} logs, each changed in one place`, async t => {
  const ledger = await openLedger(t, { shards: SHARDS })
  const { owner } = ledger
  const { rows: [server] } = await owner.query<{ knows: boolean }>("select current_setting('server_version_num')::int >= 160000 as knows")
  // Before 16 there is no asking whether a text is JSON without failing.
  if (server?.knows !== true) {
    t.comment('not run before PostgreSQL 16')
    return
  }
  const heads = async (): Promise<unknown> => (await owner.query('select * from ledger.shards order by shard')).rows
  const events = async (): Promise<unknown> => (await owner.query('select e.*, body::text as body from ledger.events e order by event_id, subject')).rows
  let tampered = 0
  await fc.assert(fc.asyncProperty(fc.uniqueArray(body, { minLength: 1, maxLength: 12, selector: one => JSON.stringify(one) }), fc.nat(), tampering, async (bodies, nth, [what, change]) => {
    await tamper(owner, 'delete from ledger.events', "update ledger.shards set head = 0, chain = decode(repeat('00', 32), 'hex')")
    await store(ledger, [seeds.award, seeds.order, ...bodies], SHARDS)
    const clean = await audit(ledger)
    if (clean.command.length + clean.sql.length > 0) throw new Error(`a clean log is called ${[...clean.command, ...clean.sql].join()}`)

    const before = [await heads(), await events()]
    const { rows: [chosen] } = await owner.query<{ row: string }>(`
      select format('event_id = %L and subject = %L', event_id, subject) as row from ledger.events
      order by event_id, subject offset ${nth} % (select count(*) from ledger.events) limit 1`)
    const row = chosen?.row ?? ''
    await tamper(owner, ...change(row))
    const untouched = JSON.stringify(before) === JSON.stringify([await heads(), await events()])
    const { command, sql } = await audit(ledger)
    if (untouched !== (command.length === 0) || untouched !== (sql.length === 0)) {
      throw new Error(`${what} where ${row}: ${untouched ? 'nothing' : 'something'} was changed; the command says ${command.join() || 'nothing'}, the query ${sql.join() || 'nothing'}`)
    }
    if (!untouched) tampered++
    // What both can know they call the same.
    const known = (found: string[]): string => found.filter(one => !one.startsWith('IDENTITY')).join()
    if (known(command) !== known(sql)) throw new Error(`${what} where ${row}: the command says ${command.join()}, the query ${sql.join()}`)
  }), { numRuns: TAMPERINGS, endOnFailure: true })
  t.ok(tampered > TAMPERINGS / 2, `${tampered} of ${TAMPERINGS} changed something, and all of these were named`)
})

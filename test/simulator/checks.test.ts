import { test } from 'tap'
import { waitBeforeRetry_ms, type Client } from '../../simulator/client.ts'
import { checkCard } from '../../simulator/checks/card.ts'
import { checkQuarantine } from '../../simulator/checks/quarantine.ts'
import { createDifferences } from '../../simulator/differences.ts'
import { RANK } from '../../simulator/facts.ts'
import { expectationFrom } from '../../simulator/oracle/expectation.ts'
import { send } from '../../simulator/sending.ts'
import { simulate } from '../../simulator/simulate.ts'

test('given a busy server, then the next try waits as long as it asks for, else twice as long each time', async t => {
  t.equal(waitBeforeRetry_ms({ status: 503, json: {}, retry_after_seconds: 3 }, 5, 200), 3000)
  t.equal(waitBeforeRetry_ms({ status: 503, json: {}, retry_after_seconds: 0 }, 5, 200), 0)
  t.equal(waitBeforeRetry_ms({ status: 503, json: {} }, 3, 200), 800)
  t.equal(waitBeforeRetry_ms(undefined, 9, 200), 10_000, 'ten seconds at most')
})

/** A server that quarantines everything for one reason, and its quarantine rows. */
function server (rows: Record<string, object>, status = 200): Client {
  return {
    async post (_path, body) {
      const quarantine_id = String(body.length)
      rows[quarantine_id] ??= { reason: 'not_json', state: 'open', times_seen: '1', body: body.toString(), body_encoding: 'utf-8' }
      return { status: 202, json: { status: 'quarantined', quarantine_id, reason: 'not_json' } }
    },
    async get (path) {
      const id = path.split('/').at(-1) ?? ''
      return id.includes('?') ? { status, json: {} } : { status: id in rows ? 200 : 404, json: rows[id] }
    },
    close () {}
  }
}

test('given quarantined deliveries, then bytes, reason and count of each row are compared; without a key for it, none is', async t => {
  const unusable = simulate({ seed: 'aside', events: 2000, chaos: 'high' }).deliveries.find(({ kind, body }) => kind === 'unusable' && body.toString().startsWith('not json'))!
  const rows: Record<string, Record<string, unknown>> = {}
  const differences = createDifferences()
  const { quarantined } = await send(server(rows), [unusable], { secret: 's', concurrency: 1 }, differences)
  t.equal(differences.total, 0)
  t.equal(quarantined.size, 1)
  const [id = ''] = quarantined.keys()

  const wrong = async (row: object | undefined): Promise<string[]> => {
    const found = createDifferences()
    t.equal(await checkQuarantine(server(row === undefined ? {} : { [id]: row }), quarantined, found), undefined)
    return found.kept.map(({ field }) => field).sort()
  }
  const good = { ...rows[id], times_seen: 1 }
  t.strictSame(await wrong(good), [])
  t.strictSame(await wrong({ ...good, body: 'other' }), ['body'])
  t.strictSame(await wrong({ ...good, reason: 'defect' }), ['defect', 'not_json'])
  t.strictSame(await wrong({ ...good, times_seen: 0 }), ['times_seen'])
  t.strictSame(await wrong({ ...good, state: 'discarded', reason: 'defect' }), [], 'an operator decided')
  t.strictSame(await wrong(undefined), ['not found', 'not_json', 'row'])
  t.match(await checkQuarantine(server(rows, 403), quarantined, differences), /not compared.*scope operate/)
})

test('given when events were acknowledged, then a line recorded after the first of them, or before the run, is wrong', async t => {
  const [first, second] = ['a s', 'b s'].map(key => ({ key, event_id: key.slice(0, 1) }))
  const observation = { fact: 'movement', movement_id: 'm', card_id: 'v', kind: 'accrual', points: 1, reported_balance: 1, occurred_at: '2024-01-01T00:00:00.000000Z', order_id: null, earning_rule_id: null } as const
  const card = expectationFrom([{ ...observation, rank: RANK.bare, observed_in: first! }, { ...observation, rank: RANK.enveloped, observed_in: second! }]).cards.get('v')!
  const began_ms = Date.parse('2026-01-01T10:00:00Z')
  const wrongAt = async (recorded_at: string, fresh = true): Promise<unknown[]> => {
    const found = createDifferences()
    const client: Client = {
      ...server({}),
      get: async path => ({ status: 200, json: path.includes('statement') ? { items: card.lines.map(line => ({ ...line, recorded_at })), next_cursor: null } : { ...card, customer_id: null } })
    }
    const acknowledgements = new Map([['a s', { acknowledged_ms: began_ms + 60_000, fresh: true }], ['b s', { acknowledged_ms: began_ms + 10_000, fresh }]])
    await checkCard(client, card, { began_ms, acknowledgements }, found)
    return found.kept.map(({ field }) => field)
  }
  t.strictSame(await wrongAt('2026-01-01T10:00:09.000000Z'), [])
  t.strictSame(await wrongAt('2026-01-01T10:00:30.000000Z'), ['recorded_at'], 'after the first acknowledgement')
  t.strictSame(await wrongAt('2026-01-01T09:00:00.000000Z'), ['recorded_at'])
  t.strictSame(await wrongAt('2026-01-01T09:00:00.000000Z', false), [], 'one of them was stored before')
  t.strictSame(await wrongAt('never'), ['recorded_at', 'recorded_at'])
})

import { test } from 'tap'
import { waitBeforeRetry_ms, type Client } from '../../src/simulator/client.ts'
import { checkQuarantine } from '../../src/simulator/checks/quarantine.ts'
import { createDifferences } from '../../src/simulator/differences.ts'
import { send } from '../../src/simulator/sending.ts'
import { simulate } from '../../src/simulator/simulate.ts'

test('given a busy server, then the next try waits as long as it asks for, else twice as long each time', async t => {
  t.equal(waitBeforeRetry_ms({ status: 503, json: {}, retry_after_seconds: 3 }, 5, 200), 3000)
  t.equal(waitBeforeRetry_ms({ status: 503, json: {}, retry_after_seconds: 0 }, 5, 200), 0)
  t.equal(waitBeforeRetry_ms({ status: 503, json: {} }, 3, 200), 800)
  t.equal(waitBeforeRetry_ms(undefined, 9, 200), 10_000, 'ten seconds at most')
})

/** A server that sets everything aside for one reason, and the rows it then has. */
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

test('given what was set aside, then each row is looked at: bytes, reason, how often; without the key for it nothing is', async t => {
  const unusable = simulate({ seed: 'aside', events: 2000, chaos: 'high' }).deliveries.find(({ kind, body }) => kind === 'unusable' && body.toString().startsWith('not json'))!
  const rows: Record<string, Record<string, unknown>> = {}
  const differences = createDifferences()
  const { asides } = await send(server(rows), [unusable], { secret: 's', concurrency: 1 }, differences)
  t.equal(differences.total, 0)
  t.equal(asides.size, 1)
  const [id = ''] = asides.keys()

  const wrong = async (row: object | undefined): Promise<string[]> => {
    const found = createDifferences()
    t.equal(await checkQuarantine(server(row === undefined ? {} : { [id]: row }), asides, found), undefined)
    return found.kept.map(({ field }) => field).sort()
  }
  const good = { ...rows[id], times_seen: 1 }
  t.strictSame(await wrong(good), [])
  t.strictSame(await wrong({ ...good, body: 'other' }), ['body'])
  t.strictSame(await wrong({ ...good, reason: 'defect' }), ['defect', 'not_json'])
  t.strictSame(await wrong({ ...good, times_seen: 0 }), ['times_seen'])
  t.strictSame(await wrong({ ...good, state: 'discarded', reason: 'defect' }), [], 'what a person decided is theirs')
  t.strictSame(await wrong(undefined), ['not found', 'not_json', 'row'])
  t.match(await checkQuarantine(server(rows, 403), asides, differences), /not compared.*scope operate/)
})

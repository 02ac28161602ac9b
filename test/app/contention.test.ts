// Reads that get no answer must hold up neither deliveries, nor projections, nor the probes of an orchestrator.
import { test } from 'tap'
import { sign, SIGNATURE_HEADER } from '../../src/providers/voucherify/wire/signature.ts'
import { serve } from '../support/cli.ts'
import { createDatabase } from '../support/database.ts'
import { awardData } from '../support/deliveries.ts'

const TIMEOUT_MS = 3000

for (const size of [3, 4, 6, 10]) {
  test(`with ${size} connections, reads that wait for a lock stop nothing else, and answer 503 themselves`, async t => {
    const { url: DATABASE_URL, pool } = await createDatabase(t)
    const { url } = await serve(t, [], {
      DATABASE_URL, WEBHOOK_SECRETS: 'secret', DATA_DIR: t.testdir(), DATABASE_POOL_SIZE: String(size), DATABASE_TIMEOUT_MS: String(TIMEOUT_MS)
    })
    const post = async (body: object): Promise<{ status: number, position: string }> => {
      const bytes = JSON.stringify(body)
      const response = await fetch(`${url}/webhooks/voucherify`, { method: 'POST', headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: sign(bytes, 'secret') }, body: bytes })
      const { position } = await response.json() as { position: string }
      return { status: response.status, position }
    }
    const { position } = await post(awardData({ points: 7 }))
    t.equal((await fetch(`${url}/v1/cards/v_1?min_position=${position}&wait_ms=10000`)).status, 200)

    const holder = await pool.connect()
    await holder.query('begin')
    await holder.query('lock table projection.statement_lines in access exclusive mode')
    const began = performance.now()
    const reads = Array.from({ length: 7 }, async () => {
      const response = await fetch(`${url}/v1/cards/v_1/statement`)
      return { status: response.status, retryAfter: response.headers.get('retry-after'), after_ms: performance.now() - began, ...await response.json() as { code: string, detail: string } }
    })
    // Enough of them wait for the lock that no connection for reads is left.
    const waiting = async (): Promise<number> => (await pool.query("select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount ?? 0
    while (await waiting() === 0) t.ok(performance.now() - began < TIMEOUT_MS, 'a read waits for the lock')

    for (const [round, body] of [awardData({ rule: 'ern_2', points: 1 }), { nothing: 'that is known' }, awardData({ rule: 'ern_3', points: 1 })].entries()) {
      const sent = performance.now()
      t.equal((await post(body)).status, 202, `delivery ${round}`)
      t.ok(performance.now() - sent < 1000, `delivery ${round} took ${Math.round(performance.now() - sent)} ms`)
    }
    t.equal((await fetch(`${url}/readyz`)).status, 200, 'the orchestrator must not take it away')
    const refused = await Promise.all(reads)
    for (const { status, retryAfter, code, after_ms } of refused) {
      t.equal(status, 503)
      t.ok(['connections_exhausted', 'database_timeout'].includes(code), code)
      t.match(retryAfter, /^\d+$/)
      t.ok(after_ms < 2 * TIMEOUT_MS + 1000, `${Math.round(after_ms)} ms`)
    }
    t.ok(refused.some(({ code }) => code === 'database_timeout'))
    t.equal(refused.some(({ detail }) => detail.includes('not available')), false, 'the database was there')

    await holder.query('rollback')
    holder.release()
    t.equal((await fetch(`${url}/v1/cards/v_1/statement`)).status, 200, 'and they are served again')
  })
}

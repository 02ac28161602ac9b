import { test } from 'tap'
import { shareConnections } from '../../src/app/connections.ts'

test('connections are divided without a rest, and nobody who needs some has none', t => {
  t.same(shareConnections(3, undefined), { ingest: 1, steps: 1, reads: 1 })
  t.same(shareConnections(6, undefined), { ingest: 2, steps: 2, reads: 2 })
  t.same(shareConnections(10, undefined), { ingest: 3, steps: 3, reads: 4 })
  t.same(shareConnections(200, undefined), { ingest: 3, steps: 3, reads: 194 })
  t.same(shareConnections(10, 'api'), { ingest: 3, steps: 0, reads: 7 })
  t.same(shareConnections(3, 'worker'), { ingest: 1, steps: 2, reads: 0 })
  t.same(shareConnections(10, 'worker'), { ingest: 1, steps: 3, reads: 0 })
  for (let total = 3; total <= 200; total++) {
    for (const only of [undefined, 'api', 'worker'] as const) {
      const { ingest, steps, reads } = shareConnections(total, only)
      t.ok(ingest + steps + reads <= total && ingest > 0, `${only} with ${total}`)
      t.equal(steps > 0, only !== 'api')
      t.equal(reads > 0, only !== 'worker')
    }
  }
  t.end()
})

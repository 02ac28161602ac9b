import { test } from 'tap'
import { createSeenEvents } from '../../src/ingest/dry-run-seen.ts'

test('the first facts of each event are remembered, however many there are', async t => {
  const see = createSeenEvents()
  const key = (n: number) => ({ event_id: `ev_${n % 100}`, subject: `transaction:vtx_${n}` })
  const answers = { first: 0, same: 0, other: 0 }
  for (let n = 0; n < 5000; n++) answers[see(key(n), 'aa')]++
  for (let n = 0; n < 5000; n++) answers[see(key(n), n % 2 === 0 ? 'aa' : 'bb')]++
  t.strictSame(answers, { first: 5000, same: 2500, other: 2500 })
})

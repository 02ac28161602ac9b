import { test } from 'tap'
import { createSharedQuestion } from '../../src/app/shared-question.ts'

test('probes of a party that hangs leave nothing behind, and send it one question', async t => {
  let sent = 0
  const probes = createSharedQuestion<string>(() => { sent += 1 }, { timeout_ms: 20, substitute: 'stuck' })
  for (let round = 0; round < 3; round++) {
    t.same(new Set(await Promise.all(Array.from({ length: 1000 }, async () => await probes.ask()))), new Set(['stuck']))
    t.equal(probes.waiting(), 0)
  }
  t.equal(sent, 1)
})

test('an answer is for all who wait, and the next question is asked after it', async t => {
  let sent = 0
  const probes = createSharedQuestion<string>(() => { sent += 1 }, { timeout_ms: 10_000, substitute: 'stuck' })
  for (const answer of ['well', 'still well']) {
    const asked = [probes.ask(), probes.ask()]
    probes.answer(answer)
    t.same(await Promise.all(asked), [answer, answer])
  }
  t.equal(sent, 2)
  const late = createSharedQuestion<string>(() => { sent += 1 }, { timeout_ms: 20, substitute: 'stuck' })
  t.equal(await late.ask(), 'stuck')
  late.answer('it came back')
  const asked = late.ask()
  t.equal(sent, 4, 'who came back is asked again')
  late.answer('well')
  t.equal(await asked, 'well')
})

import { test } from 'tap'
import { inTwoLanes } from '../../src/engine/two-lanes.ts'

test('two at once, one of them the first; when one fails the other ends, and the failure is told when both have', async t => {
  const log: string[] = []
  let begun = 0
  let fail: (error: Error) => void = () => {}
  const failing = new Promise<never>((_resolve, reject) => { fail = reject })
  const working = inTwoLanes(async ({ first, ended }) => {
    log.push(first ? 'first' : 'second')
    if (++begun === 2) fail(new Error('the first one is broken'))
    if (first) await failing
    while (!ended()) await new Promise(resolve => setImmediate(resolve))
    log.push('the second one ends')
  })
  await t.rejects(working, { message: 'the first one is broken' })
  t.strictSame(log, ['first', 'second', 'the second one ends'])
})

test('both go on to their end where none fails', async t => {
  let done = 0
  await inTwoLanes(async () => {
    await new Promise(resolve => setImmediate(resolve))
    done++
  })
  t.equal(done, 2)
})

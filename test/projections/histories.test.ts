// Whole histories at the provider, from the simulator: what must not matter does not, and what must come out does.
//
//   HISTORIES=10000 npm test -- projections/histories          more of them
//   HISTORY='{"seed":1,…}' npm test -- projections/histories   one of them again, as a failure names it
//   npm run test:long -- projections/histories                 1,000 that no run has tried before
import { fc, LONG, SEED } from '../support/chance.ts'
import { test, type Test } from 'tap'
import { history, wrongWith, type History } from '../support/histories.ts'

/** Histories that share a database: a fresh one for each would cost more than all the rest. */
const TOGETHER = 100

const HISTORIES = Number(process.env['HISTORIES'] ?? (LONG ? 1000 : 100))
const ONE = process.env['HISTORY']

/** Which of several histories is to blame: each alone. */
async function blame (t: Test, observed: readonly History[], wrong: readonly string[]): Promise<void> {
  for (const one of observed) {
    const alone = await wrongWith(t, [one])
    if (alone.length > 0) {
      t.fail(`HISTORY='${JSON.stringify(one)}' npm test -- projections/histories repeats it`, { wrong: alone.slice(0, 20) })
      return
    }
  }
  t.fail('together they are wrong, and none of them is alone', { wrong: wrong.slice(0, 20), observed })
}

const observed: History[] = ONE === undefined ? fc.sample(history, HISTORIES) : [JSON.parse(ONE) as History]

test(`${observed.length} histories (SEED=${SEED}): the same rows in any order, repetition and choice of sources, and what the oracle says`, async t => {
  let held = 0
  for (let start = 0; start < observed.length; start += TOGETHER) {
    const group = observed.slice(start, start + TOGETHER)
    const wrong = await wrongWith(t, group)
    if (wrong.length > 0) {
      await blame(t, group, wrong)
      return
    }
    held += group.length
  }
  t.equal(held, observed.length, 'every history was tried')
})

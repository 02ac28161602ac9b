// Bugs planted in the ledger, one at a time: the histories must notice each of them. All of them take minutes, so that a run
// of the tests takes some by turns, other ones every day.
//
//   PLANTS=all npx tap --timeout=1800 test/simulator/plants.test.ts        every bug
//   PLANTS=tier npx tap test/simulator/plants.test.ts                      those whose name says so
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { history } from '../support/histories.ts'
import { plant, planted } from '../support/planting.ts'
import { PLANTS, type Plant } from './plants.ts'

const BY_TURNS = 3
const DAY_MS = 86_400_000

/** Histories that are tried together, and how often others are tried where these notice nothing. */
const TOGETHER = 25
const TRIES = 10

function chosen (): readonly Plant[] {
  const asked = process.env['PLANTS']
  if (asked === 'all') return PLANTS
  if (asked !== undefined) return PLANTS.filter(({ bug }) => bug.includes(asked))
  const first = Math.floor(Date.now() / DAY_MS) * BY_TURNS
  return Array.from({ length: BY_TURNS }, (_, index) => PLANTS[(first + index) % PLANTS.length]!)
}

test('bugs that are planted in the ledger are noticed', { timeout: 1_800_000 }, async t => {
  const folder = t.testdir({})
  for (const [index, bug] of chosen().entries()) {
    const { wrongWith } = await plant(bug, join(folder, String(index)))
    const found: string[] = []
    const noticed = (): boolean => found.some(difference => bug.noticed.test(difference))
    for (let attempt = 0; attempt < TRIES && !noticed(); attempt++) {
      found.push(...await wrongWith(t, fc.sample(history, { numRuns: TOGETHER, seed: attempt })))
    }
    if (noticed()) t.pass(bug.bug)
    else t.fail(`not noticed: ${bug.bug}`, { found: found.slice(0, 10) })
  }
})

test('every bug can be planted: the text that it replaces is there', async t => {
  for (const plant of PLANTS) t.doesNotThrow(() => planted(plant), plant.bug)
})

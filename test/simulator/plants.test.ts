// Bugs planted in the ledger, one at a time: the histories must notice each of them. All of them take minutes, so the
// landing run plants two, one in the pure ledger and one in what the provider sends.
//
//   npm run test:long -- simulator/plants        every bug
//   PLANTS=tier npm test -- simulator/plants     those whose name says so
import { join } from 'node:path'
import { fc, LONG } from '../support/chance.ts'
import { test } from 'tap'
import { history } from '../support/histories.ts'
import { plant, planted } from '../support/planting.ts'
import { PLANTS, type Plant } from './plants.ts'

/** What the landing run plants. */
const FEW = ['the lowest source rank wins', 'failed redemptions spend points']

/** Histories that are tried together, and how often others are tried where these notice nothing. */
const TOGETHER = 25
const TRIES = 10

function chosen (): readonly Plant[] {
  const asked = process.env['PLANTS']
  if (asked !== undefined) return PLANTS.filter(({ bug }) => bug.includes(asked))
  return LONG ? PLANTS : PLANTS.filter(({ bug }) => FEW.includes(bug))
}

test('bugs that are planted in the ledger are noticed', { timeout: 1_800_000 }, async t => {
  const folder = t.testdir({})
  const bugs = chosen()
  t.ok(bugs.length >= (process.env['PLANTS'] === undefined ? FEW.length : 1), `${bugs.length} bugs to plant`)
  for (const [index, bug] of bugs.entries()) {
    const { wrongWith } = await plant(bug, join(folder, String(index)))
    const found: string[] = []
    const noticed = (): boolean => found.some(difference => bug.noticed.test(difference))
    for (let attempt = 0; attempt < TRIES && !noticed(); attempt++) {
      found.push(...await wrongWith(t, fc.sample(history, { numRuns: TOGETHER, seed: attempt })))
    }
    t.ok(noticed(), `noticed: ${bug.bug}`, { found: found.slice(0, 10) })
  }
})

test('every bug can be planted: the text that it replaces is there', async t => {
  for (const plant of PLANTS) t.doesNotThrow(() => planted(plant), plant.bug)
})

import { test } from 'tap'
import { NOBODY } from '../../src/ledger/facts.ts'
import { addHolderObservations, holderOf, type HolderObservation } from '../../src/ledger/holders.ts'
import type { Instant } from '../../src/ledger/instant.ts'

const at = (second: number): Instant => `2026-01-01T00:00:0${second}.000000Z` as Instant
const held = (customer_id: string, second: number): HolderObservation => ({ customer_id, held: true, occurred_at: at(second) })
const released = (customer_id: string, second: number): HolderObservation => ({ customer_id, held: false, occurred_at: at(second) })

test('a card that is seen without a holder has none from then on, until it has one again; in any order', async t => {
  const cases: Array<[name: string, observations: HolderObservation[], holder: string | null]> = [
    ['nobody after somebody', [held('cust_a', 1), held(NOBODY, 2)], null],
    ['nobody at the same moment', [held('cust_a', 2), held(NOBODY, 2)], null],
    ['somebody after nobody', [held(NOBODY, 1), held('cust_a', 2)], 'cust_a'],
    ['an old release of another says nothing', [held(NOBODY, 1), held('cust_a', 3), released('cust_b', 4)], 'cust_a'],
    ['nobody alone', [held(NOBODY, 1)], null]
  ]
  for (const [name, observations, holder] of cases) {
    for (const ordered of [observations, observations.toReversed()]) t.equal(holderOf(addHolderObservations([], ordered)), holder, name)
  }
})
